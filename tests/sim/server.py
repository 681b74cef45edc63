"""From a request to an answer: log, canned answers, faults, keys, routes, headers.

Order of decision: a control route; else a canned answer; else a fault; else the key,
the route, the list limit and the handler.  Handlers return (status, object) or a
Reply, and raise ApiError to refuse.
"""

import base64
import binascii
import json
import sys
import time
import traceback
import zlib
from collections import deque
from hashlib import sha256
from random import Random
from urllib.parse import unquote_plus

import control
import errors
import faults
from errors import ApiError
from http1 import REASONS, Server
from latency import Latency
from reply import Reply, dumps
from store import Store
from webhooks import Webhooks

LIST_LIMIT = 5              # list requests a second and key
KEPT_CALLS = 20000
KEPT_BODY = 65536           # bytes of a request body that the log keeps

FIXED_HEADERS = (
    "cache-control: private, no-cache, no-store\r\n"
    "pragma: no-cache\r\nexpires: 0\r\n"
    "strict-transport-security: max-age=31536000; includeSubDomains; preload\r\n"
    "x-frame-options: SAMEORIGIN\r\nx-xss-protection: 1; mode=block\r\n"
    "x-content-type-options: nosniff\r\nx-download-options: noopen\r\n"
    "x-permitted-cross-domain-policies: none\r\n"
    "referrer-policy: strict-origin-when-cross-origin\r\n"
    "x-backend: easypost\r\nx-node: simulator1\r\n"
    "x-version-label: easypost-202604271935-0000000000-main\r\n"
    "x-proxied: extlb1 0000000000\r\n")


class Call:
    """What a handler sees of a request."""
    __slots__ = ("app", "store", "ids", "space", "mode", "user_id", "key", "now", "args",
                 "query", "body", "method", "path", "_pairs")

    def __init__(self, app, method, path, query):
        self.app = app
        self.store = app.store
        self.ids = app.store.ids
        self.method = method
        self.path = path
        self.query = query
        self._pairs = None

    def pairs(self):
        if self._pairs is None:
            self._pairs = [
                (unquote_plus(name), unquote_plus(value))
                for name, _, value in (part.partition("=")
                                       for part in self.query.split("&") if part)]
        return self._pairs

    def param(self, name):
        """The last value of that name, or None."""
        found = None
        if self.query:
            for key, value in self.pairs():
                if key == name:
                    found = value
        return found

    def params(self, name):
        """All values, whether the client writes name=, name[]= or both."""
        return [value for key, value in self.pairs()
                if key == name or key == name + "[]"]

    def wrapped(self, name):
        """The parameters inside their wrapper, which is mandatory."""
        inner = self.body.get(name)
        if inner in (None, "", {}):
            raise errors.required(name)
        if not isinstance(inner, dict):
            raise errors.invalid(name, "must be an object")
        return inner

    def emit(self, description, result, previous=None):
        return self.app.webhooks.emit(self.space, description, result, previous or {},
                                      self.now)


class Routes:
    """Paths as a tree of segments; "*" takes any one segment."""

    def __init__(self):
        self.tree = {}

    def add(self, method, pattern, handler, is_list=False):
        node = self.tree
        for segment in pattern.strip("/").split("/"):
            node = node.setdefault(segment, {})
        node.setdefault("", {})[method] = (handler, f"{method} {pattern}", is_list)

    def find(self, path):
        """(methods, path arguments), or (None, ()) for an unknown path."""
        node, args = self.tree, []
        for segment in path[1:].split("/"):
            below = node.get(segment) if segment not in ("", "*") else None
            if below is None:
                below = node.get("*") if segment else None
                if below is None:
                    return None, ()
                args.append(segment)
            node = below
        return node.get(""), args


ROUTES = Routes()


def route(method, pattern, is_list=False):
    def register(handler):
        ROUTES.add(method, pattern, handler, is_list)
        return handler
    return register


class App:
    def __init__(self, loop, options):
        self.loop = loop
        self.options = options
        self.server = Server(loop, self.handle)
        self.latency = Latency(options.latency, options.seed)
        self.list_limit = options.list_limit
        self.batch_seconds = 0.02
        self.tick_random = Random(options.seed + 2)
        self.date = (0, "")
        self.store = Store(options.seed, options.test_key, options.production_key)
        self.webhooks = Webhooks(self, options.webhook_ca)
        self.reset()
        loop.call_later(0.5, self._every_half_second)

    def reset(self):
        self.calls = deque(maxlen=KEPT_CALLS)
        self.faults = faults.Faults()
        self.canned = faults.Canned()
        self.lists = {}             # key -> times of its last list requests
        self.store.reset()
        self.webhooks.reset()
        import account      # registers its routes; needs this module complete
        account.found(self)
        self.add_own_webhooks()

    def add_own_webhooks(self):
        """The one of the command line, in place of those of earlier runs."""
        for mode, space in self.store.spaces.items():
            for hook in space.all("hook"):
                if space.recall(hook["id"], "is_own"):
                    space.drop(hook["id"])
            if self.options.webhook_url:
                hook = control.add_webhook(self, mode, self.options.webhook_url,
                                           self.options.webhook_secret)
                space.remember(hook["id"], is_own=True)

    def _every_half_second(self):
        if self.store.agenda:
            self.store.catch_up(self)
        self.loop.call_later(0.5, self._every_half_second)

    # -- one request -------------------------------------------------------------------
    def handle(self, request):
        if request.path.startswith("/_sim/"):
            control.handle(self, request)
            return
        entry = self.log(request)
        reply = self.canned.take(request) if self.canned.answers else None
        if reply is not None:
            self.answer(request, Reply(*reply, is_raw=True), 0.0, entry)
            return
        if self.faults.active:
            fault = self.faults.take(request)
            if fault is not None:
                entry["fault"] = fault.kind
                faults.play(self, request, fault, entry)
                return
        reply, pattern = self.perform(request)
        seconds = self.latency.of(pattern) if self.latency.measured else 0.0
        if seconds:
            self.loop.call_later(
                seconds, lambda: self.answer(request, reply, seconds, entry))
        else:
            self.answer(request, reply, seconds, entry)

    def perform(self, request):
        """(reply, pattern of the route): the handler's word, or a refusal."""
        pattern = None
        try:
            methods, args = ROUTES.find(request.path)
            call = Call(self, request.method, request.path, request.query)
            self.authenticate(call, request)
            if methods is None:
                raise errors.not_found()
            method = "GET" if request.method == "HEAD" else request.method
            if method not in methods:
                raise errors.wrong_verb()
            handler, pattern, is_list = methods[method]
            if is_list and self.list_limit:
                self.limit(call.key)
            call.args = args
            call.body = parse_body(request) if request.method not in ("GET", "HEAD") \
                else {}
            self.store.clock.tick()
            if self.store.agenda:
                self.store.catch_up(self)
            call.now = self.store.clock.now()
            result = handler(call)
            if not isinstance(result, Reply):
                result = Reply(result[0], dumps(result[1]), *result[2:])
            return result, pattern
        except ApiError as refusal:
            return Reply(refusal.status, dumps(refusal.body)), pattern
        except Exception:
            traceback.print_exc(file=sys.stderr)
            return Reply(500, b'{"error":{"code":"INTERNAL_SERVER_ERROR","message":'
                              b'"the simulator failed","errors":[]}}'), pattern

    def authenticate(self, call, request):
        call.key = given_key(request.headers.get("authorization", ""))
        if not call.key:
            raise errors.unauthorized()
        known = self.store.keys.get(call.key)
        if known is None:
            raise errors.unauthorized()
        call.mode, is_active, call.user_id = known
        if not is_active:
            raise errors.inactive_key()
        call.space = self.store.spaces[call.mode]

    def limit(self, key):
        times, now = self.lists.setdefault(key, deque()), time.monotonic()
        while times and times[0] <= now - 1.0:
            times.popleft()
        if len(times) >= self.list_limit:
            raise errors.rate_limited()
        times.append(now)

    def log(self, request):
        entry = {"method": request.method, "path": request.path,
                 "query": request.query, "headers": request.headers,
                 "body": request.body[:KEPT_BODY], "body_bytes": len(request.body),
                 "body_sha256": sha256(request.body).hexdigest(), "at": request.at,
                 "connection": request.connection.number, "fault": None,
                 "status": None}
        self.calls.append(entry)
        return entry

    # -- the answer ----------------------------------------------------------------------
    def answer(self, request, reply, seconds, entry=None):
        if entry is not None:
            entry["status"] = reply.status
        head, body = self.render(request, reply, seconds)
        if request.method == "HEAD":
            body = b""
        request.connection.write(head + body)
        request.connection.finish(request.keep_alive)

    def render(self, request, reply, seconds=0.0, force_gzip=False):
        """The bytes of head and body."""
        body = reply.body
        lines = [f"HTTP/1.1 {reply.status} {REASONS.get(reply.status, 'Unknown')}\r\n"]
        if reply.is_raw:
            lines += [f"{name}: {value}\r\n" for name, value in reply.headers]
        else:
            if reply.status != 204:
                lines.append(f"content-type: {reply.content_type}\r\n")
            lines.append(FIXED_HEADERS)
            lines.append(f"date: {self.http_date()}\r\n"
                         f"x-ep-request-uuid: {self.tick_random.getrandbits(128):032x}"
                         f"\r\nx-runtime: {max(seconds, 0.000211):.6f}\r\n")
            lines += [f"{name}: {value}\r\n" for name, value in reply.headers]
            if body and (force_gzip or "gzip" in
                         request.headers.get("accept-encoding", "")):
                body = gzipped(body)
                lines.append("content-encoding: gzip\r\nvary: Accept-Encoding\r\n")
        if reply.status != 204:
            lines.append(f"content-length: {len(body)}\r\n")
        if not request.keep_alive:
            lines.append("connection: close\r\n")
        lines.append("\r\n")
        return "".join(lines).encode("latin-1", "replace"), body

    def http_date(self):
        second = int(time.time())
        if self.date[0] != second:
            self.date = (second, time.strftime("%a, %d %b %Y %H:%M:%S GMT",
                                               time.gmtime(second)))
        return self.date[1]


def gzipped(body):
    packer = zlib.compressobj(1, zlib.DEFLATED, 31)
    return packer.compress(body) + packer.flush()


def given_key(authorization):
    """The key of "Bearer KEY" or "Basic base64(KEY:)"; the scheme in any case."""
    scheme, _, value = authorization.partition(" ")
    value = value.strip()
    if scheme.lower() == "bearer":
        return value
    if scheme.lower() == "basic":
        try:
            return base64.b64decode(value, validate=True).decode().partition(":")[0]
        except (binascii.Error, UnicodeDecodeError):
            return None
    return None


def refuse_constant(_name):
    raise ValueError("not JSON")


def parse_body(request):
    """Nothing, {}, [] and null all mean "no parameters": clients differ."""
    if not request.body.strip():
        return {}
    try:
        body = json.loads(request.body, parse_constant=refuse_constant)
    except (ValueError, RecursionError):
        raise errors.malformed() from None
    if body is None or body == []:
        return {}
    if not isinstance(body, dict):
        raise errors.malformed()
    return body
