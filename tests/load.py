"""Requests without end from several clients, until told to stop.

Every request is written down with its status and its time; status 0 means that
the connection broke.
"""

import threading
import time

import requests


class Load:
    """One thread a client; each calls ask() again and again, or when its last
    answer is pace_s old."""

    def __init__(self, asks, pace_s=0.0):
        self.results = []
        self.pace_s = pace_s
        self.is_over = threading.Event()
        self.threads = [threading.Thread(target=self._run, args=(ask,),
                                         daemon=True) for ask in asks]

    def _run(self, ask):
        while not self.is_over.wait(self.pace_s):
            start = time.monotonic()
            try:
                status = ask().status_code
            except requests.RequestException:
                status = 0
            self.results.append((status, time.monotonic() - start))

    def __enter__(self):
        for thread in self.threads:
            thread.start()
        return self

    def __exit__(self, *_):
        self.is_over.set()
        for thread in self.threads:
            thread.join(90)
            assert not thread.is_alive(), "a request never ended"

    def failed(self, good=(200,)):
        return [one for one in self.results if one[0] not in good]

    def times(self):
        return sorted(seconds for _, seconds in self.results)

    def slowest_of(self, share):
        """The time that this share of the requests did not pass."""
        times = self.times()
        return times[min(int(len(times) * share), len(times) - 1)]


def stopwatch(ask):
    """The answer and how long it took, in seconds."""
    start = time.monotonic()
    answer = ask()
    return answer, time.monotonic() - start
