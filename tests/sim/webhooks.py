"""Events and their deliveries: signed, retried, repeated and reordered on command.

An event's bytes are made once, when it happens; every delivery of it sends exactly
these.  Couriers are threads, because a receiver may take seconds to answer; all
bookkeeping is done on the loop's thread.
"""

import base64
import hashlib
import hmac
import http.client
import queue
import random
import ssl
import threading
import time
import unicodedata
from email.utils import formatdate
from urllib.parse import unquote, urlsplit

import objects
from reply import dumps
from store import stamp, stamp_ms

COURIERS = 4
ANSWER_LIMIT = 7.0      # seconds a receiver may take
RETRIES = (0.1, 0.3, 1.0, 3.0, 8.0, 15.0)   # seconds before each further attempt
KEPT_PAYLOADS = 5


def signature(secret, body):
    key = unicodedata.normalize("NFKD", secret).encode()
    return "hmac-sha256-hex=" + hmac.new(key, body, hashlib.sha256).hexdigest()


class Event:
    __slots__ = ("shape", "listed_at", "body", "mode", "object_id", "attempts",
                 "payloads")

    def __init__(self, shape, result, listed_at):
        self.shape = shape
        self.listed_at = listed_at
        self.mode = shape["mode"]
        self.object_id = result.get("id")
        self.body = dumps(shape)[:-1] + b',"result":' + dumps(result) + b"}"
        self.attempts = 0
        self.payloads = []

    def summary(self):
        shape = {name: self.shape[name] for name in (
            "description", "id", "user_id", "status", "created_at", "mode", "object")}
        shape["created_at"] = self.listed_at
        return shape


class Job:
    """One delivery, or on command a series in a fixed order on one connection."""
    __slots__ = ("event", "hook", "secret", "attempt", "body", "headers", "done")

    def __init__(self, event, hook, secret, done, body=None, headers=None):
        self.event = event
        self.hook = hook
        self.secret = secret
        self.attempt = 0
        self.body = body if body is not None else event.body
        self.headers = headers
        self.done = done

    def head(self):
        headers = {"Content-Type": "application/json", "Accept": "application/json",
                   "User-Agent": "Go-http-client/1.1"}
        parts = urlsplit(self.hook["url"])
        if parts.username is not None:
            user = f"{unquote(parts.username)}:{unquote(parts.password or '')}"
            headers["Authorization"] = \
                "Basic " + base64.b64encode(user.encode()).decode()
        for item in self.hook["custom_headers"]:
            headers[item["name"]] = item["value"]
        if self.secret:
            headers["X-Hmac-Signature"] = signature(self.secret, self.body)
            # The second scheme travels beside the first one.
            when, path = formatdate(), parts.path or "/"
            headers["X-Timestamp"], headers["X-Path"] = when, path
            headers["X-Hmac-Signature-V2"] = signature(
                self.secret, f"{when}POST{path}".encode() + self.body)
        for name, value in (self.headers or {}).items():
            headers.pop(name, None)
            if value is not None:
                headers[name] = value
        return headers


class Result:
    __slots__ = ("status", "error", "seconds", "headers", "body")

    def __init__(self, status, error, seconds, headers=None, body=""):
        self.status, self.error, self.seconds = status, error, seconds
        self.headers, self.body = headers or {}, body

    def ok(self):
        return self.status is not None and 200 <= self.status < 300


class Couriers:
    def __init__(self, loop, ca_file):
        self.loop = loop
        self.queue = queue.SimpleQueue()
        self.tls = ssl.create_default_context(cafile=ca_file)
        if ca_file:
            # The demo's certificate is made for a loopback address.
            self.tls.check_hostname = False
        self.threads = [threading.Thread(target=self._work, daemon=True)
                        for _ in range(COURIERS)]
        for thread in self.threads:
            thread.start()

    def send(self, jobs):
        self.queue.put(jobs)

    def stop(self):
        for _ in self.threads:
            self.queue.put(None)

    def _work(self):
        lines = {}
        while (jobs := self.queue.get()) is not None:
            for job in jobs:
                try:
                    result = self._deliver(lines, job)
                except Exception as problem:
                    # A URL or a header that cannot be sent.
                    result = Result(None, repr(problem), 0.0)
                self.loop.call_threadsafe(lambda j=job, r=result: j.done(j, r))

    def _deliver(self, lines, job):
        parts = urlsplit(job.hook["url"])
        key = (parts.scheme, parts.hostname, parts.port)
        began = time.monotonic()
        for is_fresh in (False, True):
            line = None if is_fresh else lines.pop(key, None)
            if line is None:
                is_fresh = True
                line = self._dial(*key)
            try:
                target = parts.path or "/"
                if parts.query:
                    target += "?" + parts.query
                line.request("POST", target, job.body, job.head())
                answer = line.getresponse()
                text = answer.read(65536).decode("utf-8", "replace")
            except (OSError, http.client.HTTPException) as problem:
                line.close()
                if not is_fresh and not isinstance(problem, TimeoutError):
                    continue    # a kept connection had gone stale
                return Result(None, repr(problem), time.monotonic() - began)
            if answer.will_close or not answer.isclosed():
                line.close()
            else:
                lines[key] = line
            return Result(answer.status, None, time.monotonic() - began,
                          dict(answer.getheaders()), text)
        return Result(None, "no connection", time.monotonic() - began)

    def _dial(self, scheme, host, port):
        if scheme == "https":
            return http.client.HTTPSConnection(host, port, timeout=ANSWER_LIMIT,
                                               context=self.tls)
        return http.client.HTTPConnection(host, port, timeout=ANSWER_LIMIT)


class Webhooks:
    """All events, all webhooks, and who still has to hear of what."""

    def __init__(self, app, ca_file):
        self.app = app
        self.couriers = Couriers(app.loop, ca_file)
        self.auto = True
        self.retries = RETRIES
        self.disable_after = 0      # failed events in a row; 0: never
        self.waiters = []
        self.generation = 0
        self.reset()

    def reset(self):
        self.events = []            # oldest first
        self.by_id = {}
        self.open = 0               # deliveries promised and not yet over
        self.failures = {}          # webhook id -> failed events in a row
        self.generation += 1        # late results of an earlier life are dropped
        self._settle()

    def hooks(self, mode):
        return [hook for hook in self.app.store.spaces[mode].all("hook")
                if hook["disabled_at"] is None]

    def emit(self, space, description, result, previous, when):
        hooks = self.hooks(space.mode)
        shape = objects.event(self.app.store.ids, space.mode, when,
                              self.app.store.user_id, description, previous,
                              [hook["url"] for hook in hooks])
        event = Event(shape, result, stamp_ms(when))
        self.events.append(event)
        self.by_id[shape["id"]] = event
        if self.auto:
            for hook in hooks:
                self._promise(event, hook)
        return event

    def promise_again(self):
        """After a restart: nothing that was promised is forgotten."""
        for event in self.events:
            if event.shape["status"] in ("pending", "retrying") \
                    and event.shape["pending_urls"]:
                for hook in self.hooks(event.mode):
                    self._promise(event, hook)

    def _promise(self, event, hook):
        self.open += 1
        generation = self.generation
        secret = self.app.store.spaces[event.mode].recall(hook["id"], "secret")
        job = Job(event, hook, secret,
                  lambda j, r: self._done(j, r, generation))
        self.couriers.send([job])

    def _done(self, job, result, generation):
        if generation != self.generation:
            return
        self.record(job, result)
        shape = job.event.shape
        if result.ok():
            self._completed(job)
        elif job.attempt < len(self.retries):
            shape["status"] = "retrying"
            wait = self.retries[job.attempt]
            job.attempt += 1
            self.app.loop.call_later(wait, lambda: self.couriers.send([job]))
            return
        else:
            shape["status"] = "failed"
            self._failed(job.hook)
        self.open -= 1
        self._settle()

    def _completed(self, job):
        shape, url = job.event.shape, job.hook["url"]
        self.failures[job.hook["id"]] = 0
        if url in shape["pending_urls"]:
            shape["pending_urls"].remove(url)
            shape["completed_urls"].append(url)
        elif url not in shape["completed_urls"]:
            # The webhook has moved since the event happened.
            shape["pending_urls"].clear()
            shape["completed_urls"].append(url)
        if not shape["pending_urls"]:
            shape["status"] = "completed"

    def _failed(self, hook):
        count = self.failures.get(hook["id"], 0) + 1
        self.failures[hook["id"]] = count
        if self.disable_after and count >= self.disable_after:
            hook["disabled_at"] = stamp(self.app.store.now())

    def record(self, job, result):
        if job.event is None:
            return
        event, ids, when = job.event, self.app.store.ids, stamp(self.app.store.now())
        event.attempts += 1
        event.payloads.append({
            "id": ids.new("payload"), "object": "Payload", "created_at": when,
            "updated_at": when, "request_url": job.hook["url"],
            "request_headers": {"Accept": "application/json",
                                "Content-Type": "application/json",
                                "User-Agent": "Go-http-client/1.1"},
            "request_body": job.body.decode("utf-8", "replace"),
            "response_code": result.status, "response_headers": result.headers,
            "response_body": result.body, "total_time": int(result.seconds * 1000)})
        del event.payloads[:-KEPT_PAYLOADS]

    # -- waiting -------------------------------------------------------------------
    def when_idle(self, function):
        self.waiters.append(function)
        self._settle()

    def _settle(self):
        if self.open == 0:
            waiters, self.waiters = self.waiters, []
            for function in waiters:
                function()

    # -- on command ------------------------------------------------------------------
    def deliver(self, order, finished):
        """Send what `order` says, whatever was delivered before; finished(report)."""
        jobs, report = self._series(order), []

        def done(job, result):
            self.record(job, result)
            if job.event is not None and result.ok():
                self._completed(job)
            report.append({
                "event_id": job.event.shape["id"] if job.event else None,
                "url": job.hook["url"], "status": result.status,
                "error": result.error, "ms": round(result.seconds * 1000, 2),
                "body": result.body[:400]})
            if len(report) == len(jobs):
                finished(report)

        for job in jobs:
            job.done = done
        if not jobs:
            finished(report)
            return
        lanes = min(max(1, int(order.get("parallel", 1))), COURIERS)
        for lane in range(lanes):
            if jobs[lane::lanes]:
                self.couriers.send(jobs[lane::lanes])

    def _series(self, order):
        events = self._chosen(order) * int(order.get("times", 1))
        how = order.get("order", "forward")
        if how == "reverse":
            events.reverse()
        elif how == "shuffle":
            random.Random(order.get("seed", 1)).shuffle(events)
        elif how != "forward":
            raise ValueError("order must be forward, reverse or shuffle")
        jobs = []
        for event in events:
            mode = event.mode if event else order.get("mode", "test")
            for hook in self._targets(order, mode):
                jobs.append(self._commanded(order, event, hook, mode))
        return jobs

    def _targets(self, order, mode):
        if "url" in order:
            return [{"id": "hook_", "url": order["url"], "custom_headers": []}]
        return self.hooks(mode)

    def _commanded(self, order, event, hook, mode):
        secret = order.get("secret")
        if secret is None:
            secret = self.app.store.spaces[mode].recall(hook["id"], "secret")
        body = None
        if "body" in order:
            body = order["body"].encode("utf-8", "surrogatepass")
        elif "body_base64" in order:
            body = base64.b64decode(order["body_base64"])
        job = Job(event, hook, secret, None, body, dict(order.get("headers", {})))
        kind = order.get("signature", "valid")
        if kind == "none":
            job.secret = None
        elif kind == "wrong":
            job.headers["X-Hmac-Signature"] = "hmac-sha256-hex=" + "0" * 64
        elif kind == "bare" and secret:
            job.headers["X-Hmac-Signature"] = signature(secret, job.body).split("=")[1]
        return job

    def _chosen(self, order):
        if "body" in order or "body_base64" in order:
            return [None]
        wish = order.get("event_id", "all")
        if wish == "all":
            keep = order.get("object_id")
            return [event for event in self.events
                    if keep is None or event.object_id == keep]
        wishes = wish if isinstance(wish, list) else [wish]
        return [self.by_id[one] for one in wishes]
