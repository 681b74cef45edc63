"""What goes wrong on demand, and answers laid out in advance.

Kinds of fault; "before" means the request has no effect, "after" that it has:
  timeout_before, timeout_after   no answer; the connection closes after `seconds`
  reset_before, reset_after       TCP reset
  close_before, close_after       connection closed without an answer
  status                          not done; `status` with EasyPost's envelope, or `body`
  retry_after                     not done; 429 with Retry-After: `seconds`
  truncate                        done; the head promises more body than comes
  slow                            done; head at once, body in drops over `seconds`
  late                            done; the whole answer after `seconds`
  garbage                         not done; 200 whose body is not JSON (or `body`)
  garbage_http                    not done; bytes that are not HTTP
  gzip                            done; compressed whether asked for or not
  bad_gzip                        done; says gzip, is not
  chunked                         done; chunked transfer coding
  bad_tls                         not of a request: the next `times` TLS connections
                                  get rubbish instead of a handshake
"""

import base64
import re
from collections import deque
from fnmatch import translate

from reply import Reply

KINDS = {"timeout_before", "timeout_after", "reset_before", "reset_after",
         "close_before", "close_after", "status", "retry_after", "truncate", "slow",
         "late", "garbage", "garbage_http", "gzip", "bad_gzip", "chunked", "bad_tls"}
DROPS = 20      # pieces of a slow body
NEVER = 3600    # seconds; a timeout that outlasts every test

CODES = {400: "BAD_REQUEST", 401: "UNAUTHORIZED", 402: "PAYMENT_REQUIRED",
         403: "FORBIDDEN", 404: "NOT_FOUND", 408: "REQUEST_TIMEOUT",
         422: "UNPROCESSABLE_ENTITY", 429: "RATE_LIMITED",
         500: "INTERNAL_SERVER_ERROR", 502: "BAD_GATEWAY", 503: "SERVICE_UNAVAILABLE",
         504: "GATEWAY_TIMEOUT"}


class Fault:
    def __init__(self, order):
        self.kind = order["kind"]
        if self.kind not in KINDS:
            raise ValueError(f"unknown kind of fault: {self.kind}")
        self.match = order.get("match", "*")
        self.pattern = re.compile(translate(self.match))
        self.status = int(order.get("status", 500))
        self.times = int(order.get("times", 1))     # 0: until taken away
        self.skip = int(order.get("skip", 0))       # so many matches pass unharmed
        self.seconds = float(order.get("seconds", 5))
        self.is_timed = "seconds" in order
        self.body = order.get("body")
        self.headers = dict(order.get("headers", {}))
        self.used = 0

    def describe(self):
        return {"match": self.match, "kind": self.kind, "times": self.times,
                "skip": self.skip, "used": self.used}


class Faults:
    def __init__(self):
        self.active = []

    def add(self, order):
        self.active.append(Fault(order))

    def take(self, request):
        line = f"{request.method} {request.path}"
        for fault in self.active:
            if fault.pattern.match(line) is None:
                continue
            if fault.skip:
                fault.skip -= 1
                continue
            fault.used += 1
            if fault.times and fault.used >= fault.times:
                self.active.remove(fault)
            return fault
        return None


class Canned:
    """Exact answers for exact requests (method, path, raw query)."""

    def __init__(self):
        self.answers = {}

    def add(self, order):
        if "body_base64" in order:
            body = base64.b64decode(order["body_base64"])
        else:
            body = order.get("body", "").encode("utf-8", "surrogatepass")
        headers = order.get("headers", {})
        pairs = list(headers.items()) if isinstance(headers, dict) else \
            [tuple(pair) for pair in headers]
        # The length is the server's business, and the connection too.
        pairs = [(name, value) for name, value in pairs if name.lower() not in
                 ("content-length", "transfer-encoding", "connection")]
        key = (order.get("method", "GET").upper(), order["path"],
               order.get("query") or "")
        answer = [int(order.get("status", 200)), body, pairs]
        times = order.get("times")
        line = self.answers.setdefault(key, deque())
        if times is None:
            line.clear()
            line.append((None, answer))
        else:
            line.extend([(1, answer)] * int(times))

    def take(self, request):
        line = self.answers.get((request.method, request.path, request.query))
        if not line:
            return None
        times, answer = line[0]
        if times is not None:
            line.popleft()
        return answer


def play(app, request, fault, entry):
    """Answer, or not, as the fault says."""
    kind, connection = fault.kind, request.connection
    after, seconds = kind.endswith("_after") and kind != "retry_after", fault.seconds
    reply = None
    if after or kind in ("truncate", "slow", "late", "gzip", "bad_gzip", "chunked"):
        reply, _pattern = app.perform(request)
        entry["status"] = reply.status
    if kind.startswith("timeout"):
        app.loop.call_later(seconds if fault.is_timed else NEVER, connection.close)
    elif kind.startswith("reset"):
        connection.reset()
    elif kind.startswith("close"):
        connection.close()
    elif kind == "late":
        app.loop.call_later(
            seconds, lambda: app.answer(request, reply, seconds, entry))
    elif kind in ("status", "retry_after", "garbage"):
        app.answer(request, refusal(fault), 0.0, entry)
    elif kind == "garbage_http":
        connection.write(b"\x16\x03\x01 this is not an answer \x00\xff\r\n\r\n" * 4)
        connection.close_when_sent()
    else:
        distort(app, request, fault, reply)


def refusal(fault):
    if fault.kind == "garbage":
        text = fault.body if fault.body is not None else \
            "<html><body><h1>Something went wrong</h1></body></html>"
        return Reply(200, text.encode(), fault.headers.items(), content_type="text/html")
    status = 429 if fault.kind == "retry_after" else fault.status
    headers = dict(fault.headers)
    if fault.kind == "retry_after":
        headers["retry-after"] = f"{fault.seconds:g}"
    text = fault.body
    if text is None:
        text = ('{"error":{"code":"%s","message":"The simulator was told to fail.",'
                '"errors":[]}}' % CODES.get(status, "UNKNOWN"))
    return Reply(status, text.encode(), headers.items())


def distort(app, request, fault, reply):
    connection = request.connection
    if fault.kind == "bad_gzip":
        reply.headers.append(("content-encoding", "gzip"))
        request.headers.pop("accept-encoding", None)
    head, body = app.render(request, reply, force_gzip=fault.kind == "gzip")
    if fault.kind == "truncate":
        connection.write(head + body[:len(body) // 2])
        connection.close_when_sent()
    elif fault.kind == "slow":
        connection.write(head)
        drip(app, request, body, fault.seconds / DROPS, -(-len(body) // DROPS) or 1)
    elif fault.kind == "chunked":
        head = re.sub(rb"content-length: \d+", b"transfer-encoding: chunked", head)
        middle = len(body) // 2
        for part in (body[:middle], body[middle:]):
            if part:
                head += b"%x\r\n%s\r\n" % (len(part), part)
        connection.write(head + b"0\r\n\r\n")
        connection.finish(request.keep_alive)
    else:
        connection.write(head + body)
        connection.finish(request.keep_alive)


def drip(app, request, body, pause, size):
    connection = request.connection
    connection.write(body[:size])
    if len(body) <= size:
        connection.finish(request.keep_alive)
    elif connection.fd >= 0:
        app.loop.call_later(
            pause, lambda: drip(app, request, body[size:], pause, size))
