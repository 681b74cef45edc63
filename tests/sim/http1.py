"""The wire: a small HTTP/1.1 server on one epoll loop.

One thread owns all state, so nothing here or above it needs a lock; other threads
hand work in through Loop.call_threadsafe().  http.server costs about ten times as
much per request, which would hide the gateway's own time in a comparison.
What a request means is not decided here: the application gets a Request and
answers through its connection, now or later.
"""

import heapq
import select
import socket
import ssl
import struct
import sys
import time
import traceback
from collections import deque

HEAD_LIMIT = 65536              # bytes of request line and headers
BODY_LIMIT = 32 * 1024 * 1024   # bytes; more than any gateway would pass on

REASONS = {
    100: "Continue", 200: "OK", 201: "Created", 202: "Accepted", 204: "No Content",
    301: "Moved Permanently", 302: "Found", 304: "Not Modified", 400: "Bad Request",
    401: "Unauthorized", 402: "Payment Required", 403: "Forbidden", 404: "Not Found",
    405: "Method Not Allowed", 408: "Request Timeout", 409: "Conflict",
    413: "Content Too Large", 422: "Unprocessable Entity", 429: "Too Many Requests",
    431: "Request Header Fields Too Large", 500: "Internal Server Error",
    502: "Bad Gateway", 503: "Service Unavailable", 504: "Gateway Timeout",
}

READ = select.EPOLLIN | select.EPOLLRDHUP
WRITE = select.EPOLLOUT


class BadRequest(Exception):
    def __init__(self, status, reason):
        super().__init__(reason)
        self.status = status


class Loop:
    """epoll, timers and a mailbox for other threads."""

    def __init__(self):
        self.epoll = select.epoll()
        self.handlers = {}
        self.timers = []
        self.sequence = 0
        self.mailbox = deque()
        self.running = True
        self.wake_in, self.wake_out = socket.socketpair()
        for end in (self.wake_in, self.wake_out):
            end.setblocking(False)
        self.add(self.wake_in.fileno(), self._woken, select.EPOLLIN)

    def add(self, fd, handler, events):
        self.handlers[fd] = handler
        self.epoll.register(fd, events)

    def remove(self, fd):
        if self.handlers.pop(fd, None) is not None:
            self.epoll.unregister(fd)

    def call_later(self, seconds, function):
        """Returns a handle for cancel()."""
        self.sequence += 1
        entry = [time.monotonic() + seconds, self.sequence, function]
        heapq.heappush(self.timers, entry)
        return entry

    @staticmethod
    def cancel(entry):
        entry[2] = None

    def call_threadsafe(self, function):
        self.mailbox.append(function)
        self.wake()

    def wake(self):
        try:
            self.wake_out.send(b"x")
        except OSError:
            pass    # full: the loop is about to wake up anyway

    def stop(self):
        self.running = False
        self.wake()

    def _woken(self, _events):
        try:
            self.wake_in.recv(4096)
        except OSError:
            pass

    def run(self):
        poll, handlers = self.epoll.poll, self.handlers
        while self.running:
            timeout = -1
            if self.timers:
                timeout = max(0.0, self.timers[0][0] - time.monotonic())
            for fd, events in poll(timeout):
                handler = handlers.get(fd)
                if handler is not None:
                    self._do(handler, events)
            while self.mailbox:
                self._do(self.mailbox.popleft())
            now = time.monotonic()
            while self.timers and self.timers[0][0] <= now:
                function = heapq.heappop(self.timers)[2]
                if function is not None:
                    self._do(function)

    @staticmethod
    def _do(function, *arguments):
        """A mistake in one piece of work must not end all the others."""
        try:
            function(*arguments)
        except Exception:
            traceback.print_exc(file=sys.stderr)


class Request:
    __slots__ = ("method", "target", "path", "query", "headers", "pairs", "body",
                 "version", "connection", "keep_alive", "at")

    def __init__(self, method, target, version, pairs, connection):
        self.method = method
        self.target = target
        self.path, _, self.query = target.partition("?")
        self.version = version
        self.pairs = pairs
        headers = {}
        for name, value in pairs:
            headers[name] = f"{headers[name]}, {value}" if name in headers else value
        self.headers = headers
        self.body = b""
        self.connection = connection
        wish = headers.get("connection", "").lower()
        self.keep_alive = wish != "close" if version == "HTTP/1.1" \
            else wish == "keep-alive"


def parse_head(head, connection):
    lines = head.decode("latin-1").split("\r\n")
    parts = lines[0].split(" ")
    if len(parts) != 3 or not parts[2].startswith("HTTP/1."):
        raise BadRequest(400, "request line")
    pairs = []
    for line in lines[1:]:
        name, colon, value = line.partition(":")
        if not colon or not name or name != name.strip():
            raise BadRequest(400, "header line")
        pairs.append((name.lower(), value.strip()))
    target = parts[1]
    if target.startswith(("http://", "https://")):
        target = "/" + target.split("/", 3)[3] if target.count("/") >= 3 else "/"
    if not target.startswith("/"):
        raise BadRequest(400, "target")
    return Request(parts[0], target, parts[2], pairs, connection)


class Connection:
    """One client.  After `busy` the application owes exactly one of finish(),
    close() or reset()."""

    def __init__(self, server, sock, number):
        self.server = server
        self.loop = server.loop
        self.sock = sock
        self.fd = sock.fileno()
        self.number = number
        self.inbox = bytearray()
        self.outbox = bytearray()
        self.request = None
        self.missing = 0            # body bytes still to come; -1: chunked
        self.busy = False
        self.closing = False        # close once the outbox is empty
        self.handshaking = isinstance(sock, ssl.SSLSocket)
        self.interest = READ
        self.loop.add(self.fd, self.on_event, READ)

    # -- events ---------------------------------------------------------------
    def on_event(self, events):
        try:
            if self.handshaking:
                self._handshake()
            else:
                if events & WRITE:
                    self._flush()
                if events & (READ | select.EPOLLHUP | select.EPOLLERR):
                    self._receive()
        except (OSError, ssl.SSLError):
            self.close()

    def _handshake(self):
        try:
            self.sock.do_handshake()
        except ssl.SSLWantReadError:
            return self._watch(READ)
        except ssl.SSLWantWriteError:
            return self._watch(READ | WRITE)
        self.handshaking = False
        self._watch(READ)
        return self._receive()

    def _receive(self):
        while self.fd >= 0:
            try:
                data = self.sock.recv(262144)
            except (BlockingIOError, ssl.SSLWantReadError):
                break
            except ssl.SSLWantWriteError:
                return self._watch(READ | WRITE)
            if not data:
                return self.close()
            self.inbox += data
            if not self.handshaking and not isinstance(self.sock, ssl.SSLSocket):
                break       # plain: epoll tells us if there is more
        return self._pump()

    def _pump(self):
        while not self.busy and self.fd >= 0 and not self.closing:
            try:
                request = self._next_request()
            except BadRequest as problem:
                return self._refuse(problem)
            if request is None:
                return None
            self.busy = True
            self.server.application(request)
        return None

    def _next_request(self):
        if self.request is None:
            end = self.inbox.find(b"\r\n\r\n")
            if end < 0:
                if len(self.inbox) > HEAD_LIMIT:
                    raise BadRequest(431, "headers too long")
                return None
            self.request = parse_head(bytes(self.inbox[:end]), self)
            del self.inbox[:end + 4]
            self.missing = self._body_length(self.request.headers)
            if self.missing and not self.inbox and \
                    self.request.headers.get("expect", "").lower() == "100-continue":
                self.write(b"HTTP/1.1 100 Continue\r\n\r\n")
        return self._with_body()

    @staticmethod
    def _body_length(headers):
        if headers.get("transfer-encoding", "").lower() == "chunked":
            if "content-length" in headers:
                raise BadRequest(400, "both lengths")
            return -1
        text = headers.get("content-length", "0")
        if not text.isascii() or not text.isdigit():
            raise BadRequest(400, "Content-Length")
        if int(text) > BODY_LIMIT:
            raise BadRequest(413, "body too large")
        return int(text)

    def _with_body(self):
        request = self.request
        if self.missing == -1:
            body = self._dechunk()
            if body is None:
                return None
            request.body = body
        else:
            if len(self.inbox) < self.missing:
                return None
            if self.missing:
                request.body = bytes(self.inbox[:self.missing])
                del self.inbox[:self.missing]
        self.request = None
        request.at = time.time()
        return request

    def _dechunk(self):
        body, position, box = bytearray(), 0, self.inbox
        while True:
            end = box.find(b"\r\n", position)
            if end < 0:
                return None
            try:
                size = int(bytes(box[position:end]).split(b";")[0], 16)
            except ValueError:
                raise BadRequest(400, "chunk size") from None
            if len(body) + size > BODY_LIMIT:
                raise BadRequest(413, "body too large")
            position = end + 2
            if len(box) < position + size + 2:
                return None
            body += box[position:position + size]
            position += size + 2
            if size == 0:
                del box[:position]
                return bytes(body)

    def _refuse(self, problem):
        self.inbox.clear()
        self.write(b"HTTP/1.1 %d %s\r\nContent-Length: 0\r\nConnection: close\r\n\r\n"
                   % (problem.status, REASONS[problem.status].encode()))
        self.close_when_sent()

    # -- what the application may do -------------------------------------------
    def write(self, data):
        if self.fd < 0:
            return
        if not self.outbox:
            try:
                sent = self.sock.send(data)
            except (BlockingIOError, ssl.SSLWantWriteError, ssl.SSLWantReadError):
                sent = 0
            except OSError:
                self.close()
                return
            if sent == len(data):
                return
            data = data[sent:]
        self.outbox += data
        self._watch(READ | WRITE)

    def finish(self, keep_alive):
        """The answer is complete."""
        self.busy = False
        if not keep_alive:
            self.close_when_sent()
        elif self.inbox:
            # Not from here: answers to pipelined requests would nest.
            self.loop.call_later(0, self._pump)

    def close_when_sent(self):
        self.closing = True
        if not self.outbox:
            self.close()

    def close(self):
        if self.fd < 0:
            return
        self.loop.remove(self.fd)
        self.server.connections.discard(self)
        self.fd = -1
        self.sock.close()

    def reset(self):
        """Close with RST instead of FIN."""
        if self.fd >= 0:
            self.sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER,
                                 struct.pack("ii", 1, 0))
            self.close()

    # -- sending ---------------------------------------------------------------
    def _flush(self):
        while self.outbox:
            try:
                sent = self.sock.send(self.outbox)
            except (BlockingIOError, ssl.SSLWantWriteError, ssl.SSLWantReadError):
                return
            del self.outbox[:sent]
        if self.closing:
            self.close()
        else:
            self._watch(READ)

    def _watch(self, interest):
        if self.fd >= 0 and interest != self.interest:
            self.interest = interest
            self.loop.epoll.modify(self.fd, interest)


class Server:
    """Listening sockets and the connections that came through them."""

    def __init__(self, loop, application):
        self.loop = loop
        self.application = application
        self.connections = set()
        self.accepted = 0
        self.spoil_tls = 0      # so many next TLS connections get rubbish

    def listen(self, host, port, tls=None):
        family = socket.AF_INET6 if ":" in host else socket.AF_INET
        sock = socket.socket(family, socket.SOCK_STREAM)
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        sock.bind((host, port))
        sock.listen(1024)
        sock.setblocking(False)
        self.loop.add(sock.fileno(), lambda _events: self._accept(sock, tls),
                      select.EPOLLIN)
        return sock.getsockname()[1]

    def _accept(self, listener, tls):
        while True:
            try:
                sock, _address = listener.accept()
            except OSError:
                return
            self.accepted += 1
            sock.setblocking(False)
            sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            if tls is not None:
                if self.spoil_tls:
                    self.spoil_tls -= 1
                    sock.send(b"220 this is not the handshake you asked for\r\n")
                    sock.close()
                    continue
                sock = tls.wrap_socket(sock, server_side=True,
                                       do_handshake_on_connect=False)
            self.connections.add(Connection(self, sock, self.accepted))

    def close_all(self):
        for connection in list(self.connections):
            connection.close()
