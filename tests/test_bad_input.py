"""Every kind of bad input against every route: a clear 4xx and nothing else.

The tables are kinds of bad input times routes.  After each one the service is
alive, its workers are the same processes, and the tables have not changed.
"""

import json
import re
import urllib.parse

import pytest

import documents
from helpers import (all_workers, assert_error, authorization, compact, send,
                     send_bytes, setting, signed, unique)

# A route as it is meant to be called; {id} is filled with an id.
ROUTES = [
    ("GET", "/v2/shipments/{id}"), ("POST", "/v2/shipments"),
    ("PUT", "/v2/end_shippers/{id}"), ("PATCH", "/v2/users/{id}"),
    ("DELETE", "/v2/trackers/{id}"), ("POST", "/beta/rates"),
    ("POST", "/v2/shipments/{id}/buy"), ("POST", "/webhooks/easypost"),
    ("GET", "/db/shipments"), ("GET", "/db/shipments/{id}"),
    ("GET", "/db/addresses"), ("GET", "/health"), ("GET", "/health/database"),
    ("GET", "/livez"), ("GET", "/readyz"),
]
IDS = [f"{method} {path}" for method, path in ROUTES]
WRITES = [route for route in ROUTES if route[0] != "GET"]

TABLES = ["shipments", "addresses", "parcels", "customs_infos", "trackers",
          "shipment_events", "webhook_events", "api_keys"]


def fill(path):
    return path.replace("{id}", "shp_" + "0" * 32)


def easypost(path):
    return path.startswith(("/v2/", "/beta/"))


@pytest.fixture(autouse=True)
def unharmed(stack, db):
    """Still alive, the same processes, nothing changed."""
    before = all_workers(stack)
    counts = count(db)
    yield
    got = send(stack, "GET", "/readyz")
    assert got.status_code == 200, got
    after = all_workers(stack)
    for pool, pids in before.items():
        for pid in set(pids) - set(after[pool]):
            # One that came with the load of another test may go, in peace.
            assert re.search(rb"worker.end .*worker=%d exit=0 " % pid,
                             stack.logs()[pool + ".log"]), (pool, pid)
    assert count(db) == counts


def count(db):
    return {table: db.one(f"select count(*) from {table}")
            for table in TABLES}


def refused(got, path=None, *, status=range(400, 500)):
    """A clear 4xx in an envelope; with a request id."""
    assert got.status_code in status, got
    if got.status_code in (304,) or not got.content:
        return
    assert_error(got, easypost=None if path is None else easypost(path))


def by_easypost_or_us(got):
    """What is passed on may be refused by EasyPost, in the same envelope."""
    assert got.status_code < 500, got
    if got.status_code >= 400:
        error = json.loads(got.content)["error"]
        assert error["code"] and error["message"]


# --- bodies --------------------------------------------------------------------------


BODIES = {
    "not JSON": b"this is not JSON",
    "cut JSON": b'{"shipment":{"to_address":',
    "only a brace": b"{",
    "too deep": b"[" * 100_000 + b"]" * 100_000,
    "deep objects": b'{"a":' * 50_000 + b"1" + b"}" * 50_000,
    "not UTF-8": b'{"shipment":{"reference":"\xff\xfe\xc3\x28"}}',
    "overlong UTF-8": b'{"shipment":"\xc0\xaf\xe0\x80\xaf"}',
    "raw zero": b'{"shipment":"a\x00b"}',
    "escaped zero": b'{"shipment":{"reference":"a\\u0000b"}}',
    "lone surrogate": b'{"shipment":{"reference":"\\ud800"}}',
    "huge number": b'{"shipment":{"parcel":{"weight":1e200000}}}',
    "long number": b'{"shipment":{"parcel":{"weight":' + b"9" * 9000 + b"}}}",
    "NaN": b'{"shipment":{"parcel":{"weight":NaN}}}',
    "negative": b'{"shipment":{"parcel":{"weight":-1}}}',
    "duplicate keys": b'{"shipment":{},"shipment":[],"shipment":1}',
    "wrong types": b'{"shipment":[1,"x",null,true]}',
    "a number": b"12", "a string": b'"shipment"', "true": b"true",
    "SQL": b"{\"shipment\":{\"reference\":\"'; drop table shipments;--\"}}",
    "headers": b'{"shipment":{"reference":"a\\r\\nX-Evil: 1"}}',
    "zeros": b"\x00" * 1000,
    "byte order mark": b"\xef\xbb\xbf{}",
    "a date that does not exist": b'{"pickup":{"min_datetime":"2026-02-30"}}',
    "a form": b"shipment%5Bparcel%5D=1&a=%00",
}


@pytest.mark.parametrize("name", list(BODIES))
@pytest.mark.parametrize("method,path", ROUTES, ids=IDS)
def test_bodies(stack, sim, method, path, name):
    """Where a body means something it is refused; elsewhere it is no harm."""
    body = BODIES[name]
    headers = {"Content-Type": "application/json",
               "Authorization": authorization(stack.key)}
    if path.startswith("/webhooks"):
        headers |= signed(setting(stack, "EASYPOST_WEBHOOK_SECRET"), body)
    got = send(stack, method, fill(path), headers, body)
    if path.startswith("/webhooks"):
        refused(got, path)
    elif easypost(path):
        by_easypost_or_us(got)
        assert "X-Evil" not in got.headers
    else:
        assert got.status_code < 500, got


@pytest.mark.parametrize("method,path", ROUTES, ids=IDS)
def test_oversize(stack, sim, method, path):
    before = len(sim.calls())
    body = b"x" * (10 * 1024 * 1024 + 1)
    got = send_bytes(stack, head(stack, method, fill(path), [
        f"Content-Length: {len(body)}"]) + body, method=method)
    assert got is not None, "no answer"
    refused(got, status=(413,))
    assert len(sim.calls()) == before


def head(stack, method, target, more=(), *, key=True):
    where = urllib.parse.urlsplit(stack.url).netloc
    lines = [f"{method} {target} HTTP/1.1", f"Host: {where}",
             "Connection: close", *more]
    if key:
        lines.append("Authorization: " + authorization(stack.key))
    return ("\r\n".join(lines) + "\r\n\r\n").encode("latin-1")


@pytest.mark.parametrize("length", [
    "-1", "abc", "1e3", "0x10", "+5", "5 5", "5,5", "99999999999999999999",
    "", " ", "1.5"])
@pytest.mark.parametrize("method,path", WRITES,
                         ids=[f"{a} {b}" for a, b in WRITES])
def test_lengths_that_are_none(stack, method, path, length):
    got = send_bytes(stack, head(stack, method, fill(path), [
        f"Content-Length: {length}"]) + b"hello", method=method)
    if got is not None and length not in ("", " ", "+5"):
        refused(got, status=(400, 411, 413))
    elif got is not None:
        assert got.status_code < 500, got


@pytest.mark.parametrize("method,path", WRITES,
                         ids=[f"{a} {b}" for a, b in WRITES])
def test_bodies_that_stop_short(stack, sim, method, path):
    """More is promised than comes, and then the client is gone."""
    before = len(sim.calls())
    data = head(stack, method, fill(path), ["Content-Length: 1000"])
    send_bytes(stack, data + b'{"half":', method=method, half_close=True)
    assert len(sim.calls()) == before


@pytest.mark.parametrize("lines", [
    ["Content-Length: 5", "Content-Length: 6"],
    ["Content-Length: 5", "Transfer-Encoding: chunked"],
    ["Transfer-Encoding: xchunked"], ["Transfer-Encoding: chunked, chunked"],
    ["Transfer-Encoding: chunked", "Transfer-Encoding: identity"],
], ids=" + ".join)
def test_smuggled_bodies(stack, sim, lines):
    before = len(sim.calls())
    data = head(stack, "POST", "/v2/addresses", lines)
    got = send_bytes(stack, data + b"0\r\n\r\nGET /v2/x HTTP/1.1\r\n\r\n",
                     method="POST")
    if got is not None:
        refused(got, status=(400, 501))
    assert len(sim.calls()) == before


def test_chunks_that_are_broken(stack, sim):
    before = len(sim.calls())
    for chunks in (b"zz\r\nhello\r\n0\r\n\r\n", b"-5\r\nhello\r\n0\r\n\r\n",
                   b"ffffffffffffffff\r\nhello\r\n0\r\n\r\n"):
        got = send_bytes(stack, head(stack, "POST", "/v2/addresses", [
            "Transfer-Encoding: chunked"]) + chunks, method="POST")
        if got is not None:
            refused(got, status=(400, 413))
    assert len(sim.calls()) == before


# --- targets ---------------------------------------------------------------------------


IDENTIFIERS = [
    "'", "';drop table shipments;--", "\" or \"\"=\"", "%27%20or%201=1",
    "%00", "a%00b", "%", "%zz", "%0d%0aX-Evil:%201", "%ff%fe", "..", "%2e%2e",
    "..%2f..%2fetc%2fpasswd", "%2e%2e%2f", "~root", "$(id)", "`id`", "{{7*7}}",
    "%25%30%30", "a" * 3000, "%F0%9F%9A%9A", "-1", "1e999", "null", "[object]",
    "*", "shp_%2A", "%20", "%09", "a;b", "a|b", "\\..\\..", "%5c..%5c",
]


@pytest.mark.parametrize("method,path", [
    ("GET", "/v2/shipments/{}"), ("POST", "/v2/shipments/{}/buy"),
    ("DELETE", "/v2/trackers/{}"), ("GET", "/db/shipments/{}"),
    ("GET", "/beta/{}"), ("GET", "/{}")])
@pytest.mark.parametrize("name", IDENTIFIERS, ids=lambda name: name[:30])
def test_identifiers(stack, method, path, name):
    got = send(stack, method, path.format(name.replace(" ", "%20")),
               {"Authorization": authorization(stack.key)},
               b"" if method == "POST" else None)
    assert 400 <= got.status_code < 500, got
    if got.content:
        error = json.loads(got.content)["error"]
        assert error["code"] and error["message"]
    assert "X-Evil" not in got.headers
    assert b"root:" not in got.content
    assert got.headers["X-Request-Id"]


@pytest.mark.parametrize("method,path", ROUTES, ids=IDS)
def test_a_target_that_is_too_long(stack, method, path):
    """The server may hang up before it has read all of it."""
    got = send_bytes(stack, head(stack, method, fill(path) + "?a="
                                 + "x" * 40_000), method=method)
    if got is not None:
        refused(got, status=(400, 414))


READS = ["/db/shipments", "/db/shipments/{id}", "/db/addresses", "/health",
         "/health/database"]


@pytest.mark.parametrize("path", READS)
@pytest.mark.parametrize("query", [
    "nonsense=1", "a", "=", "=1", "%00=1", "%ff=1", "limit%00=1", "a=b=c",
    "LIMIT=1", "limit%20=1", "%E2%80%AElimit=1", "__proto__=1", "a[b]=1",
    "a" * 3000 + "=1", "select=1", "%0d%0aX-Evil:1=1", "%zz=1", "%=1",
], ids=lambda query: query[:30])
def test_unknown_parameters_are_refused_by_name(stack, path, query):
    got = send(stack, "GET", fill(path) + "?" + query,
               {"Authorization": authorization(stack.key)})
    refused(got, path, status=(400,))
    assert "X-Evil" not in got.headers


@pytest.mark.parametrize("path", ["/db/shipments", "/db/addresses"])
def test_a_thousand_parameters(stack, path):
    query = "&".join(f"p{number}=1" for number in range(1000))
    got = send(stack, "GET", path + "?" + query,
               {"Authorization": authorization(stack.key)})
    refused(got, path, status=(400, 414))


# --- request lines and headers -------------------------------------------------------


@pytest.mark.parametrize("method", ["BREW", "get", "G", "PROPFIND", "TRACE",
                                    "CONNECT", "A" * 100, "GET\x01", "<GET>"])
@pytest.mark.parametrize("path", ["/db/shipments", "/webhooks/easypost",
                                  "/livez", "/health", "/v2/addresses",
                                  "/nothing"])
def test_methods(stack, sim, method, path):
    before = len(sim.calls())
    got = send_bytes(stack, head(stack, method, path))
    if got is None:
        return
    assert 400 <= got.status_code < 500 or got.status_code == 501, got
    assert len(sim.calls()) == before


LINES = [
    b"", b"\r\n", b"\r\n\r\n\r\n", b"GET\r\n\r\n", b"GET /\r\n\r\n",
    b"GET / HTTP/9.9\r\n\r\n", b"GET / HTTP/1.1\r\n\r\n",
    b"GET / HTTP/1.1\r\nHost:\r\n\r\n", b"\x16\x03\x01\x00\x00",
    b"GET / HTTP/1.1\r\nHost: a\r\nHost: b\r\n\r\n", b"\x00" * 300,
    b"GET /\x00 HTTP/1.1\r\nHost: a\r\n\r\n",
    b"GET /%00 HTTP/1.1\r\nHost: a\r\n\r\n",
    b"GET /../../etc/passwd HTTP/1.1\r\nHost: a\r\n\r\n",
    b"GET http:// HTTP/1.1\r\nHost: a\r\n\r\n",
    b"GET * HTTP/1.1\r\nHost: a\r\n\r\n",
    b"GET / HTTP/1.1\r\nHost: a\r\nX: \x00\r\n\r\n",
    b"GET / HTTP/1.1\r\nHost: a\r\n folded: 1\r\n\r\n",
    b"GET / HTTP/1.1\nHost: a\n\n", b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n",
    b"GET / HTTP/1.1\r\nHost: a\r\n" + b"X: " + b"y" * 70_000 + b"\r\n\r\n",
    b"GET / HTTP/1.1\r\nHost: a\r\n" + b"X: y\r\n" * 2000 + b"\r\n",
    b"GET " + b"/" * 70_000 + b" HTTP/1.1\r\nHost: a\r\n\r\n",
    bytes(range(256)) * 20,
]


@pytest.mark.parametrize("data", LINES, ids=lambda data: repr(data[:40]))
def test_request_lines(stack, data):
    closing = data.replace(b"Host: a\r\n", b"Host: a\r\nConnection: close\r\n")
    if not data.strip() or not data.endswith((b"\n\n", b"\r\n\r\n")):
        send_bytes(stack, closing, half_close=True)
        return
    got = send_bytes(stack, closing)
    if got is not None:
        assert 400 <= got.status_code < 500 or got.status_code == 505, got
        assert json.loads(got.content)["error"]["message"]
        assert got.headers["X-Request-Id"]


def test_plain_http_on_the_tls_port(stack):
    import http.client
    where = urllib.parse.urlsplit(stack.url)
    plain = http.client.HTTPConnection(where.hostname, where.port, timeout=10)
    plain.request("GET", "/livez")
    got = plain.getresponse()
    body = got.read()
    assert got.status in (301, 308, 400, 426), body
    plain.close()


@pytest.mark.parametrize("method,path", ROUTES, ids=IDS)
@pytest.mark.parametrize("name,value", [
    ("X-Request-Id", "a b"), ("X-Request-Id", "x" * 500),
    ("X-Request-Id", "a\"b<c>"), ("X-Request-Id", "\u00e9\u00ff"),
    ("X-Request-Id", ""), ("X-Request-Id", "../../etc"),
    ("Content-Type", "x" * 3000), ("Accept", "\u00ff" * 100),
    ("User-Agent", "\"'\\\x7f()<>"), ("Cookie", "a=b; " * 300),
    ("traceparent", "nonsense"), ("Range", "bytes=0-1,2-3,-1"),
    ("Expect", "nonsense"), ("Accept-Encoding", "nonsense;q=9"),
    ("If-None-Match", "\"\"\"\""), ("If-Modified-Since", "never"),
    ("X-Forwarded-For", "' or 1=1"), ("Content-Length", "0"),
], ids=lambda text: repr(text[:20]))
def test_header_values(stack, method, path, name, value):
    got = send(stack, method, fill(path), [
        ("Authorization", authorization(stack.key)), (name, value)])
    assert got.status_code < 500, got
    assert "\r" not in str(got.headers) and "\n" not in str(got.headers)
    given = got.headers["X-Request-Id"]
    assert 1 <= len(given) <= 64
    if name == "X-Request-Id":
        assert given != value


@pytest.mark.parametrize("path", ["/db/shipments", "/v2/addresses/adr_1"])
def test_a_request_id_from_outside_is_kept(stack, path):
    own = unique("outside-")
    got = send(stack, "GET", path, {"Authorization": authorization(stack.key),
                                    "X-Request-Id": own})
    assert got.headers["X-Request-Id"] == own


@pytest.mark.parametrize("name", ["Authorization", "Content-Type",
                                  "X-Hmac-Signature", "Idempotency-Key"])
@pytest.mark.parametrize("path", ["/v2/addresses", "/webhooks/easypost"])
def test_headers_that_decide_may_come_once(stack, sim, name, path):
    before = len(sim.calls())
    body = compact(documents.event("refund.successful", {}))
    secret = setting(stack, "EASYPOST_WEBHOOK_SECRET")
    headers = [("Authorization", authorization(stack.key)),
               ("Content-Type", "application/json"),
               ("Idempotency-Key", "a"),
               *[pair for pair in signed(secret, body).items()
                 if pair[0] != "Content-Type"]]
    double = [pair for pair in headers if pair[0] == name]
    assert double
    got = send(stack, "POST", path, headers + double, body)
    refused(got, path, status=(400, 401))
    assert len(sim.calls()) == before


# --- what a refusal leaves behind ------------------------------------------------------


@pytest.mark.parametrize("target", [
    "/db/shipments?limit=-1", "/db/shipments/nothing", "/nothing",
    "/v2/%00", "/db/shipments?colour=red"])
def test_it_is_logged_once(stack, target):
    own = unique("logged-")
    got = send(stack, "GET", target, {
        "Authorization": authorization(stack.key), "X-Request-Id": own})
    assert 400 <= got.status_code < 500
    lines = [line for name, text in stack.logs().items()
             if not name.startswith(("nginx", "waybill.access", "simul"))
             for line in text.decode("utf-8", "replace").splitlines()
             if own in line]
    access = [line for line in lines if line.partition(">")[2].startswith(
        "request ")]
    assert len(access) <= 1, lines
    assert len(lines) <= 2, lines
    for line in lines:
        assert "\x00" not in line


def test_no_line_of_the_log_is_made_by_a_client(stack):
    own = unique("forged-")
    for target in (f"/db/shipments/%0a<3>{own}", f"/nothing?{own}%0d%0a<2>x"):
        send(stack, "GET", target, {
            "Authorization": authorization(stack.key),
            "User-Agent": f"a {own}=1 \" b"})
    for name, text in stack.logs().items():
        for line in text.decode("utf-8", "replace").splitlines():
            assert not line.startswith(f"<3>{own}"), (name, line)


# --- what a write may not ask for ----------------------------------------------------


CHANGES = [("POST", "/rates"), ("POST", "/shipments"),
           ("POST", "/bulk-shipments"), ("POST", "/shipments/buy"),
           ("POST", "/shipments/shp_1/buy"), ("POST", "/shipments/shp_1/refund"),
           ("POST", "/shipments/batch-track"),
           ("POST", "/db/shipments"), ("PATCH", "/db/shipments/shp_1"),
           ("DELETE", "/db/shipments/shp_1"), ("POST", "/db/addresses"),
           ("PATCH", "/db/addresses/adr_1"), ("DELETE", "/db/addresses/adr_1")]


@pytest.mark.parametrize("method,path", CHANGES)
def test_a_write_has_no_conditions_and_no_encoding(client, method, path):
    for name, value, status, code in (
            ("If-Match", '"x"', 412, "PRECONDITION.FAILED"),
            ("If-Unmodified-Since", "Thu, 01 Jan 2026 00:00:00 GMT", 412,
             "PRECONDITION.FAILED"),
            ("Content-Encoding", "gzip", 415, "MEDIA_TYPE.UNSUPPORTED")):
        got = client(method, path, data=b"{}", headers={
            name: value, "Content-Type": "application/json"})
        assert_error(got, status, code)
    got = client(method, path, data=b"[", headers={
        "Content-Encoding": "identity", "Content-Type": "application/json"})
    assert got.status_code in (400, 404)
