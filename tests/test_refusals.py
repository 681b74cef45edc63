"""Whatever is refused, by nginx or by a worker, over HTTP/1.1 or HTTP/2: JSON in
the envelope of its path, with an id that is in nginx's log.

Not here, because nginx never answers with it: 408 (it hangs up), 411 and 417 (it
asks for neither), 421, 495 and 496 (about certificates of clients).
"""

import concurrent.futures
import json
import os
import re
import socket
import socketserver
import ssl
import threading

import pytest

import contract
import http2
from env.nginx import Nginx, free_port, without_unknown
from helpers import (Answer, assert_error, authorization, read_answer,
                     send_bytes, wait_until)

# Of ours and of EasyPost's: the envelope depends on it.
ROOTS = ["/db/shipments", "/v2/shipments", "/beta/rates"]
LENGTHS = [("x", "Content-Length: 1\r\nContent-Length: 2"),
           ("x", "Content-Length: 1\r\nTransfer-Encoding: chunked"),
           ("x", "Content-Length: nine"), ("x", "Content-Length: -1"),
           ("x", "Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked"),
           ("zz\r\n", "Transfer-Encoding: chunked")]


def easypost(path):
    return bool(re.match("/+(v2|beta)(/|$)", path))


def lines(first, *more, body="", host="localhost"):
    """A request as it is sent; host None leaves it out."""
    start = [first] + ([f"Host: {host}"] if host is not None else [])
    return ("\r\n".join([*start, "Connection: close", *more])
            + "\r\n\r\n" + body).encode("latin-1")


def knows_max_headers():
    """Debian's nginx does, with its security updates."""
    return without_unknown("max_headers 64;\n") != ""


def malformed(path):
    """What no path makes good, as status, code and bytes."""
    bad = "REQUEST.MALFORMED"
    yield 400, bad, lines(f"GET {path} HTTP/1.1", host=None)
    yield 400, bad, lines(f"GET {path} HTTP/1.1", "Host: other")
    yield 400, bad, lines(f"GET {path} HTTP/1.1", host="a/b")
    yield 400, bad, lines(f"GET {path} HTTP/1.1", "X-Zero: a\0b")
    for body, length in LENGTHS:
        yield 400, bad, lines(f"POST {path} HTTP/1.1", length, body=body)
    yield 400, "HEADERS.TOO_LARGE", lines(f"GET {path} HTTP/1.1",
                                          "X-Long: " + "x" * 20000)
    yield 400, "HEADERS.TOO_LARGE", lines(
        f"GET {path} HTTP/1.1",
        *[f"X-{n}: {'x' * 1500}" for n in range(50)])
    if knows_max_headers():
        yield 400, "HEADERS.TOO_LARGE", lines(
            f"GET {path} HTTP/1.1", *[f"X-{n}: x" for n in range(70)])
    yield 405, "METHOD.NOT_ALLOWED", lines(f"TRACE {path} HTTP/1.1")
    yield 413, "BODY.TOO_LARGE", lines(f"POST {path} HTTP/1.1",
                                       "Content-Length: 10485761")
    yield 501, "METHOD.NOT_IMPLEMENTED", lines(
        f"POST {path} HTTP/1.1", "Transfer-Encoding: gzip")


def lines_of_none():
    """A first line in which there is no path to tell the envelope by."""
    bad = "REQUEST.MALFORMED"
    for first in ("GARBAGE", "GET /a b HTTP/1.1", "get / HTTP/1.1",
                  "GET / HTTQ/1.1", "GET / HTTP/x", "GET /%00 HTTP/1.1",
                  "GET /../../etc/passwd HTTP/1.1", "GET nothing HTTP/1.1",
                  "GET /%zz HTTP/1.1", "\x16\x03\x01 / HTTP/1.1",
                  "CONNECT localhost:443 HTTP/1.1"):
        yield 400, bad, lines(first)
    yield 414, "URI.TOO_LONG", lines(f"GET /{'x' * 20000} HTTP/1.1")
    yield 505, "PROTOCOL.UNSUPPORTED", lines("GET / HTTP/3.0")


@pytest.fixture
def log(stack):
    """A function that finds the line of an answer in nginx's log."""
    start = os.path.getsize(stack.nginx.access_log)

    def line_of(answer):
        own = answer.headers["X-Request-Id"]

        def look():
            with open(stack.nginx.access_log, encoding="utf-8") as file:
                file.seek(start)
                return [json.loads(line) for line in file
                        if own in line and line.endswith("\n")]
        found = wait_until(look, 5, "the line of the log")
        assert [line["status"] for line in found] == [answer.status_code]
        return found[0]

    return line_of


# --- by nginx -----------------------------------------------------------------------


@pytest.mark.parametrize("path,status,code,data", [
    pytest.param(path, *probe, id=f"{path} {number} {probe[0]}")
    for path in ROOTS for number, probe in enumerate(malformed(path))]
    + [pytest.param("/", *probe, id=f"{number} {probe[0]}")
       for number, probe in enumerate(lines_of_none())])
def test_what_is_no_request(stack, log, path, status, code, data):
    answer = send_bytes(stack, data)
    assert answer is not None, "nginx just hung up"
    assert_error(answer, status, code, easypost=easypost(path))
    log(answer)


def in_http2(path):
    """The same over HTTP/2, as pairs of headers."""
    bad = "REQUEST.MALFORMED"
    head = http2.head

    def without(name):
        return [pair for pair in head("GET", path) if pair[0] != name]

    for name in (":method", ":scheme", ":authority"):
        yield 400, bad, without(name)
    yield 400, bad, head("GET", path, (":path", path))
    yield 400, bad, head("GET", path, (":unknown", "x"))
    yield 400, bad, head("GET", path, (":status", "200"))
    yield 400, bad, head("GET", path, ("host", "a"), ("host", "b"))
    yield 400, bad, head("GET", path, authority="a/b")
    yield 400, bad, head("get", path)
    yield 400, bad, head("GE T", path)
    for lengths in (("1", "2"), ("nine",), ("-1",)):
        yield 400, bad, head("POST", path, *[
            ("content-length", length) for length in lengths])
    if knows_max_headers():
        yield 400, "HEADERS.TOO_LARGE", head("GET", path, *[
            (f"x-{n}", "x") for n in range(70)])
    yield 405, "METHOD.NOT_ALLOWED", head("TRACE", path)
    yield 413, "BODY.TOO_LARGE", head(
        "POST", path, ("content-length", "10485761"))


def paths_in_http2():
    for path in ("", "nothing", "*", "http://other/x", "/../../etc", "/%00",
                 "/a b", "/%zz"):
        yield 400, "REQUEST.MALFORMED", http2.head("GET", path)


@pytest.mark.parametrize("path,status,code,pairs", [
    pytest.param(path, *probe, id=f"{path} {number} {probe[0]}")
    for path in ROOTS for number, probe in enumerate(in_http2(path))]
    + [pytest.param("/", *probe, id=f"{number} {probe[-1][0]}")
       for number, probe in enumerate(paths_in_http2())])
def test_what_is_no_request_of_http2(stack, log, path, status, code, pairs):
    answer = over_http2(stack, pairs, b"x" if status == 413 else None)
    assert_error(answer, status, code, easypost=easypost(path))
    log(answer)


def over_http2(stack, pairs, body=None):
    with http2.Connection(stack) as connection:
        answer = Answer(*connection.ask(pairs, body))
    contract.look(*(dict(pairs).get(name, "") for name in (":method", ":path")),
                  answer.status_code, answer.headers, answer.content)
    return answer


@pytest.mark.parametrize("path", [*ROOTS, "/livez"])
def test_plain_http_is_told_so(stack, log, path):
    with socket.create_connection(("127.0.0.1", stack.port), 10) as plain:
        plain.sendall(lines(f"GET {path} HTTP/1.1"))
        answer = read_answer(plain)
    assert_error(answer, 400, "TLS.REQUIRED", easypost=easypost(path))
    contract.look("GET", path, 400, answer.headers, answer.content)
    log(answer)


@pytest.mark.parametrize("path", ROOTS)
def test_without_tls_it_is_said_in_json_too(stack, log, path):
    """On port 80: what is no request, and what would be one."""
    good = 400, "TLS.REQUIRED", lines(f"GET {path} HTTP/1.1")
    for status, code, data in [*malformed(path), *lines_of_none(), good]:
        with socket.socket(socket.AF_UNIX) as wire:
            wire.settimeout(10)
            wire.connect(stack.nginx.plain)
            wire.sendall(data)
            answer = read_answer(wire)
        # A body is not looked at that nobody will read.  What nginx cannot throw
        # away it refuses in HTML, when it is about to refuse already.
        if data.endswith(b"zz\r\n"):
            assert answer.status_code == 400
        else:
            assert_error(answer, (status, 400),
                         (code, "REQUEST.MALFORMED", "TLS.REQUIRED"))
        log(answer)


# --- by nginx or a worker: the same over both -------------------------------------------


LONG = b"x" * 1100
ASKED = [
    ("GET", "/docs/nothing", {}, 404, "NOT_FOUND"),
    ("POST", "/docs/", {}, 405, "METHOD.NOT_ALLOWED"),
    ("DELETE", "/openapi.json", {}, 405, "METHOD.NOT_ALLOWED"),
    ("GET", "/openapi.json", {"if-match": '"x"'}, 412, "PRECONDITION.FAILED"),
    ("GET", "/openapi.json", {"range": "bytes=99999999-"}, 416,
     "RANGE.INVALID"),
    ("GET", "/.e/429", {}, 404, "NOT_FOUND"),
    ("POST", "/dashboard/session", LONG, 413, "BODY.TOO_LARGE"),
    ("POST", "/v2", b"x" * 10485761, 413, "BODY.TOO_LARGE"),
    ("POST", "//v2/x", b"x" * 10485761, 413, "BODY.TOO_LARGE"),
    ("POST", "/webhooks/easypost", b"x" * 2097153, 413, "BODY.TOO_LARGE"),
    ("OPTIONS", "/livez", {}, 405, "METHOD.NOT_ALLOWED"),
    ("BREW", "/livez", {}, 405, "METHOD.NOT_ALLOWED"),
    ("PROPFIND", "/livez", {}, 405, "METHOD.NOT_ALLOWED"),
    ("GET", "/nothing", {}, 404, "NOT_FOUND"),
    ("GET", "/db/shipments", {}, 401, "AUTHENTICATION.REQUIRED"),
    ("GET", "/db/shipments", {"authorization": "Bearer wb_no"}, 401,
     "AUTHENTICATION.INVALID"),
    ("GET", "/db/shipments?limit=-1", None, 400, "PARAMETER.INVALID"),
    ("GET", "/db/shipments/shp_no", None, 404, "NOT_FOUND"),
    ("POST", "/db/shipments", b"[", 400, "BODY.MALFORMED"),
    ("POST", "/db/addresses", b"[7]", 422, "BODY.INVALID"),
    ("POST", "/webhooks/easypost", b"{}", 401, "SIGNATURE.MISSING"),
    ("GET", "/v2/addresses", {}, 401, "AUTHENTICATION.REQUIRED"),
    ("GET", "/v2/a%2fb", None, 400, "PATH.INVALID"),
    ("GET", "/beta/rates", {}, 401, "AUTHENTICATION.REQUIRED"),
]


@pytest.mark.parametrize("is_http2", [False, True], ids=["1.1", "2"])
@pytest.mark.parametrize("method,path,more,status,code", ASKED)
def test_what_is_refused(stack, log, method, path, more, status, code,
                         is_http2):
    """`more` are headers, or a body; sent with a key where it is none of them."""
    body = more if isinstance(more, bytes) else None
    pairs = list(more.items()) if isinstance(more, dict) else [
        ("authorization", authorization(stack.key))]
    if body is not None:
        pairs += [("content-type", "application/json"),
                  ("content-length", str(len(body)))]
        body = body[:1 << 14]  # as much as a frame may have, and is read
    if is_http2:
        answer = over_http2(stack, http2.head(method, path, *pairs), body)
    else:
        answer = send_bytes(stack, lines(
            f"{method} {path} HTTP/1.1", *map(": ".join, pairs),
            body=(body or b"").decode()))
    assert_error(answer, status, code, easypost=easypost(path))
    assert status != 405 or "GET" in answer.headers["Allow"]
    log(answer)


def test_too_many_from_one_address(stack, log):
    """Signing in, which is the least that anybody may ask for at once."""
    context = ssl.create_default_context(cafile=stack.ca)
    answers = []
    for _ in range(13):
        plain = socket.create_connection(("127.0.0.1", stack.port), 10,
                                         source_address=("127.0.0.3", 0))
        with context.wrap_socket(plain, server_hostname="localhost") as wire:
            wire.sendall(lines("DELETE /dashboard/session HTTP/1.1"))
            answers.append(read_answer(wire))
    assert answers[0].status_code != 429
    assert_error(answers[-1], 429, "RATE_LIMITED", easypost=False)
    assert answers[-1].headers["Retry-After"] == "1"
    log(answers[-1])


# --- nginx for workers that fail --------------------------------------------------------


class Silent(socketserver.BaseRequestHandler):
    """A worker that never answers."""

    def handle(self):
        while self.request.recv(1 << 16):
            pass


class Gone(socketserver.BaseRequestHandler):
    """One that dies of what it reads."""

    def handle(self):
        self.request.recv(1 << 16)


class Mad(socketserver.BaseRequestHandler):
    """One that says what is no FastCGI."""

    def handle(self):
        self.request.recv(1 << 16)
        self.request.sendall(b"HTTP/1.1 200 OK\r\n\r\n<html>")


class Pool(socketserver.ThreadingUnixStreamServer):
    daemon_threads = True


FAILURES = {"nobody": (None, 502, "GATEWAY.UNAVAILABLE"),
            "gone": (Gone, 502, "GATEWAY.UNAVAILABLE"),
            "mad": (Mad, 502, "GATEWAY.UNAVAILABLE"),
            "silent": (Silent, 504, "GATEWAY.TIMEOUT")}


@pytest.fixture(params=FAILURES, scope="module")
def alone(request, tmp_path_factory):
    """nginx, as it is shipped but for less patience, and nobody behind it."""
    folder = str(tmp_path_factory.mktemp("alone"))
    os.makedirs(os.path.join(folder, "nginx"))
    one = Nginx(folder, folder, folder, folder, free_port())
    one.make()
    conf = os.path.join(folder, "waybill-server.conf")
    with open(conf, encoding="utf-8") as file:
        text, count = re.subn(r"fastcgi_read_timeout \d+s",
                              "fastcgi_read_timeout 1s", file.read())
    assert count == 12
    with open(conf, "w", encoding="utf-8") as file:
        file.write(text)
    worker, one.status, one.code = FAILURES[request.param]
    one.url = f"https://127.0.0.1:{one.port}"
    pools = [] if worker is None else [
        Pool(os.path.join(folder, f"{pool}.sock"), worker)
        for pool in ("read", "webhook", "upstream")]
    for pool in pools:
        threading.Thread(target=pool.serve_forever, args=(0.05,),
                         daemon=True).start()
    one.start()
    yield one
    one.stop()
    for pool in pools:
        pool.shutdown()
        pool.server_close()


@pytest.mark.parametrize("is_http2", [False, True], ids=["1.1", "2"])
def test_workers_that_fail(alone, is_http2):
    """No word of trying again: a write may have been done."""
    def ask(path):
        answer = (over_http2(alone, http2.head("POST", path), b"{}")
                  if is_http2 else send_bytes(alone, lines(
                      f"POST {path} HTTP/1.1", "Content-Length: 2",
                      body="{}")))
        assert_error(answer, alone.status, alone.code,
                     easypost=easypost(path))
        assert "Retry-After" not in answer.headers
        return answer.headers["X-Request-Id"]

    paths = [*ROOTS, "/webhooks/easypost", "/shipments/buy"]
    with concurrent.futures.ThreadPoolExecutor(len(paths)) as threads:
        own = list(threads.map(ask, paths))

    def are_logged():
        with open(alone.access_log, encoding="utf-8") as file:
            text = file.read()
        return all(one in text for one in own)

    wait_until(are_logged, 5, "the lines of the log")
