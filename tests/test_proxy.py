"""The recording proxy: what goes up and what comes down is left as it was."""

import contextlib
import gzip
import hashlib
import os
import socket
import ssl
import subprocess
import threading

import pytest
import requests

import documents
from helpers import (Client, assert_error, authorization, changed_settings,
                     compact, memory_kb, parallel, send, setting, unique,
                     wait_until, workers)

METHODS = ["GET", "POST", "PUT", "PATCH", "DELETE"]


def last_call(sim, part):
    calls = sim.calls(part)
    assert len(calls) == 1, [(c["method"], c["path"]) for c in calls]
    return calls[0]


def sha256(data):
    return hashlib.sha256(data).hexdigest()


def lower(headers):
    return {name.lower(): value for name, value in dict(headers).items()}


# --- up ----------------------------------------------------------------------


@pytest.mark.parametrize("root", ["/v2/", "/beta/"])
@pytest.mark.parametrize("method", METHODS)
def test_every_verb_arrives(client, sim, method, root):
    path = root + unique("verb_")
    answer = compact({"object": "Thing", "method": method})
    sim.canned(method, path, answer)
    body = None if method == "GET" else b'{"a":1}'
    got = client(method, path, data=body)
    assert (got.status_code, got.content) == (200, answer)
    call = last_call(sim, path)
    assert call["method"] == method
    assert call["body_sha256"] == sha256(body or b"")


def test_head_has_the_headers_and_no_body(client, sim):
    path = "/v2/" + unique("head_")
    sim.canned("HEAD", path, b"", headers={"X-Runtime": "0.042"})
    got = client("HEAD", path)
    assert (got.status_code, got.content) == (200, b"")
    assert got.headers["X-Runtime"] == "0.042"
    assert last_call(sim, path)["method"] == "HEAD"


@pytest.mark.parametrize("query", [
    "page_size=5",
    "%70%61%67%65%5F%73%69%7A%65=%35",
    "a=1&a=2&a=1",
    "tracking_codes%5B%5D=A&tracking_codes%5B%5D=B",
    "tracking_codes[]=A&tracking_codes[]=B",
    "before_id=shp_1&include_children&purchased",
    "a=b+c%20d",
    "a=%C3%A9&b=%F0%9F%9A%9A",
    "a=%2F%3F%23%26%3D%25",
    "=",
    "&&a=&=b&",
    "a?b=c?d",
    "url=https://example.com/x?y=z",
    "a=%2",
    "q=" + "x" * 3000,
])
def test_the_query_arrives_raw(stack, client, sim, query):
    path = "/v2/" + unique("query_")
    answer = compact({"query": query})
    sim.canned("GET", path, answer, query=query)
    got = send(stack, "GET", f"{path}?{query}",
               {"Authorization": authorization(stack.key)})
    assert (got.status_code, got.content) == (200, answer)
    assert last_call(sim, path)["query"] == query


@pytest.mark.parametrize("body", [
    b"", b"{}", b"[]", b"null", b'{"shipment":{}}', b' {"a" : 1.0 ,"b":[]}\n',
    '{"name":"J\u00f8rgen \U0001f69a"}'.encode(), b"a=b&c=d",
    bytes(range(256)), b"{", b"x" * 200_000,
], ids=["empty", "braces", "brackets", "null", "object", "spaces", "unicode",
        "form", "binary", "broken", "large"])
@pytest.mark.parametrize("method", ["POST", "PATCH"])
def test_the_body_arrives_raw(stack, client, sim, method, body):
    path = "/v2/" + unique("body_")
    sim.canned(method, path, b'{"ok":true}')
    got = client(method, path, data=body,
                 headers={"Content-Type": "application/json; charset=utf-8"})
    assert (got.status_code, got.content) == (200, b'{"ok":true}')
    call = last_call(sim, path)
    assert call["body_sha256"] == sha256(body)
    assert (lower(call["headers"])["content-type"]
            == "application/json; charset=utf-8")


@pytest.mark.parametrize("body", [None, b"", b"{}", b"[]", b"null"],
                         ids=["none", "empty", "braces", "brackets", "null"])
def test_actions_take_the_bodies_of_all_official_clients(client, sim, body):
    """Ruby sends nothing, PHP [], Go null, the others {}."""
    path = f"/v2/shipments/{documents.new_id('shp')}/refund"
    answer = compact(documents.shipment(bought=True,
                                        refund_status="submitted"))
    sim.canned("POST", path, answer)
    got = client.post(path, data=body)
    assert (got.status_code, got.content) == (200, answer)
    assert last_call(sim, path)["body_sha256"] == sha256(body or b"")


def test_a_body_in_chunks_arrives_whole(client, sim):
    """Its length is not told in advance; EasyPost is told all the same."""
    path = "/v2/" + unique("chunks_")
    sim.canned("POST", path, b"{}")
    got = client.post(path, data=iter([b'{"a":', b"1", b"}" + b" " * 20_000]))
    assert got.status_code == 200, got.text
    call = last_call(sim, path)
    assert call["body_sha256"] == sha256(b'{"a":1}' + b" " * 20_000)
    assert lower(call["headers"])["content-length"] == str(20_007)


def test_the_coding_of_a_body_goes_up_with_it(client, sim):
    path = "/v2/" + unique("coded_")
    sim.canned("POST", path, b"{}")
    body = gzip.compress(b'{"a":1}')
    got = client.post(path, data=body, headers={"Content-Encoding": "gzip"})
    assert got.status_code == 200
    call = last_call(sim, path)
    assert call["body_sha256"] == sha256(body)
    assert lower(call["headers"])["content-encoding"] == "gzip"


def test_headers_that_go_up(client, sim):
    path = "/v2/" + unique("headers_")
    sim.canned("POST", path, b"{}")
    trace = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01"
    got = client.post(path, data=b"{}", headers={
        "User-Agent": "EasyPost/v2 PythonClient/10.7.0 Python/3.11.2",
        "Accept": "application/json", "Content-Type": "application/json",
        "Idempotency-Key": "abc", "traceparent": trace, "Cookie": "a=b",
        "X-Forwarded-For": "192.0.2.1", "X-Request-Id": "from-outside-1",
        "Expect": ""})
    assert got.status_code == 200
    seen = lower(last_call(sim, path)["headers"])
    assert seen["user-agent"].startswith("EasyPost/v2 PythonClient/10.7.0")
    assert seen["accept"] == "application/json"
    assert seen["traceparent"] == trace
    assert seen["x-request-id"] == got.headers["X-Request-Id"]
    for name in ("idempotency-key", "cookie", "x-forwarded-for", "expect",
                 "transfer-encoding"):
        assert name not in seen, name


def test_every_answer_has_its_own_request_id(client):
    seen = {client.get("/v2/addresses/adr_x").headers["X-Request-Id"]
            for _ in range(5)}
    assert len(seen) == 5


@pytest.mark.parametrize("scheme",
                         ["Basic", "Bearer", "basic", "BEARER", "bearer"])
@pytest.mark.parametrize("mode", ["test", "production"])
def test_a_gateway_key_is_exchanged_for_easyposts(stack, sim, mode, scheme):
    key = stack.key if mode == "test" else stack.key_production
    path = "/v2/" + unique("auth_")
    sim.canned("GET", path, b"{}")
    got = Client(stack, key, scheme=scheme).get(path)
    assert got.status_code == 200, got.text
    name = {"test": "EASYPOST_TEST_API_KEY",
            "production": "EASYPOST_API_KEY"}[mode]
    seen = lower(last_call(sim, path)["headers"])["authorization"]
    assert seen == authorization(setting(stack, name), "Basic")


@pytest.mark.parametrize("scheme", ["Basic", "Bearer", "basic", "bearer"])
@pytest.mark.parametrize("name",
                         ["EASYPOST_TEST_API_KEY", "EASYPOST_API_KEY"])
def test_an_easypost_key_is_forwarded_as_what_it_is(stack, sim, name, scheme):
    key = setting(stack, name)
    path = "/v2/" + unique("auth_")
    sim.canned("GET", path, b"{}")
    got = Client(stack, key, scheme=scheme).get(path)
    assert got.status_code == 200, got.text
    seen = lower(last_call(sim, path)["headers"])["authorization"]
    assert seen == authorization(key, scheme)


def test_a_foreign_easypost_key_is_not_forwarded(stack, sim):
    path = "/v2/" + unique("auth_")
    for key in ("EZTK" + "f" * 54, "EZAK" + "f" * 54):
        got = Client(stack, key).get(path)
        assert_error(got, 401, "AUTHENTICATION.INVALID", easypost=True)
    assert sim.calls(path) == []


@pytest.mark.parametrize("wanted,arrives", [
    ("/v2//{}", "/v2/{}"),
    ("//v2/{}", "/v2/{}"),
    ("/v2///a//{}", "/v2/a/{}"),
    ("/beta//{}", "/beta/{}"),
])
def test_doubled_slashes_are_collapsed(stack, sim, wanted, arrives):
    name = unique("slashes_")
    sim.canned("GET", arrives.format(name), b'{"ok":1}')
    got = send(stack, "GET", wanted.format(name),
               {"Authorization": authorization(stack.key)})
    assert (got.status_code, got.content) == (200, b'{"ok":1}'), got
    assert last_call(sim, name)["path"] == arrives.format(name)


def test_slashes_in_the_query_are_left_alone(stack, sim):
    path = "/v2/" + unique("slashes_")
    sim.canned("GET", path, b"{}", query="u=a//b")
    send(stack, "GET", path + "?u=a//b",
         {"Authorization": authorization(stack.key)})
    assert last_call(sim, path)["query"] == "u=a//b"


def test_ten_megabytes_go_up_and_not_one_more(client, sim):
    path = "/v2/" + unique("size_")
    sim.canned("POST", path, b"{}")
    most = b"x" * (10 * 1024 * 1024)
    assert client.post(path, data=most).status_code == 200
    assert last_call(sim, path)["body_sha256"] == sha256(most)
    got = client.post(path, data=most + b"x")
    assert_error(got, 413, easypost=True)
    assert len(sim.calls(path)) == 1


# --- down --------------------------------------------------------------------


@pytest.mark.parametrize("status", [
    200, 201, 202, 301, 302, 307, 400, 401, 402, 403, 404, 405, 406, 408, 409,
    422, 423, 429, 500, 501, 502, 503, 504, 520])
@pytest.mark.parametrize("method", ["GET", "POST"])
def test_status_and_bytes_come_down(client, sim, method, status):
    path = "/v2/" + unique("status_")
    answer = (b'{"error":{"code":"X","message":["a",{"b":1}],"errors":["c"]}}'
              if status >= 300 else b'{"object":"Thing","weight":136.0}\n')
    sim.canned(method, path, answer, status=status)
    got = client(method, path)
    assert (got.status_code, got.content) == (status, answer)
    assert got.headers["Content-Type"] == "application/json; charset=utf-8"
    assert len(sim.calls(path)) == 1


@pytest.mark.parametrize("answer", [
    b"", b" ", b"\n", b"null", b"[]", b'"x"', b"0", b'{"a":136.0}\n',
    b'{"a":"\\u0000"}', b'{"a":"\x00"}', b"\xff\xfe\x00\xc3\x28",
    b'{"a":"\xed\xa0\x80"}', b'{"a":"\\ud800"}', b'{"a":1e200000}',
    b'{"a":1,"a":2}', b"[" * 5000 + b"]" * 5000, b'{"a":', b"<html>no</html>",
    bytes(range(256)) * 17, b"0\r\n\r\nHTTP/1.1 200 OK\r\n\r\n",
], ids=lambda body: repr(body[:16]))
@pytest.mark.parametrize("method", ["GET", "POST"])
def test_odd_bytes_come_down_unchanged(client, sim, method, answer):
    path = "/v2/" + unique("odd_")
    sim.canned(method, path, answer)
    got = client(method, path)
    assert (got.status_code, got.content) == (200, answer)


def test_headers_that_come_down(client, sim):
    path = "/v2/" + unique("down_")
    headers = {
        "Content-Type": "application/json; charset=utf-8",
        "Location": "/api/v2/addresses/adr_1",
        "Cache-Control": "private, no-cache, no-store",
        "Retry-After": "7", "X-Runtime": "0.080852",
        "X-EP-Request-UUID": "8a4bf43e66bf889df3f73582004a50a1",
        "X-Version-Label": "easypost-1-master", "X-Backend": "easypost",
        "X-EP-Something-New": "kept",
    }
    sim.canned("POST", path, b"{}", status=201, headers=headers | {
        "Set-Cookie": "session=1", "X-Accel-Redirect": "/etc/passwd",
        "X-Powered-By": "test"})
    got = client.post(path)
    assert got.status_code == 201
    for name, value in headers.items():
        assert got.headers.get(name) == value, name
    for name in ("Set-Cookie", "X-Accel-Redirect", "X-Powered-By"):
        assert name not in got.headers, name
    assert len(got.raw.headers.getlist("X-Request-Id")) == 1


def test_the_type_comes_down_behind_many_headers(client, sim):
    """Whatever stands between EasyPost and us may add some of its own."""
    path = "/v2/" + unique("many_")
    headers = {f"X-Between-{number}": "x" for number in range(60)}
    headers |= {f"X-EP-{number}": "y" for number in range(20)}
    sim.canned("GET", path, b"{}", headers=headers | {
        "Content-Type": "text/csv", "X-Backend": "easypost"})
    got = client.get(path)
    assert (got.headers["Content-Type"], got.headers["X-Backend"]) \
        == ("text/csv", "easypost")
    assert all(got.headers[f"X-EP-{number}"] == "y" for number in range(20))


@pytest.mark.parametrize("sizes", [
    [20000], [70000], [3000] * 10, [12000, 12000, 100],
], ids=str)
def test_long_headers_never_cost_the_answer(client, sim, sizes):
    """The label is bought: better no header than no answer."""
    path = "/v2/" + unique("long_")
    headers = {f"X-EP-{number}": "x" * size
               for number, size in enumerate(sizes)}
    sim.canned("POST", path, b'{"a":1}', status=201, headers={
        **headers, "Content-Type": "text/csv", "X-Backend": "easypost"})
    got = client.post(path)
    assert (got.status_code, got.content) == (201, b'{"a":1}')
    assert (got.headers["Content-Type"], got.headers["X-Backend"]) \
        == ("text/csv", "easypost")


def test_content_of_another_type_keeps_its_type(client, sim):
    path = "/v2/" + unique("type_")
    sim.canned("GET", path, b"\x89PNG\r\n\x1a\n", headers={
        "Content-Type": "image/png",
        "Content-Disposition": 'attachment; filename="label.png"'})
    got = client.get(path)
    assert got.content == b"\x89PNG\r\n\x1a\n"
    assert got.headers["Content-Type"] == "image/png"
    assert (got.headers["Content-Disposition"]
            == 'attachment; filename="label.png"')


@pytest.mark.parametrize("method", ["GET", "POST", "DELETE"])
def test_204_has_no_body(client, sim, method):
    path = "/v2/" + unique("nothing_")
    sim.canned(method, path, b"", status=204)
    got = client(method, path)
    assert (got.status_code, got.content) == (204, b"")
    assert "Content-Type" not in got.headers


@pytest.mark.parametrize("asked", ["identity", "gzip", "br, deflate"])
@pytest.mark.parametrize("kind", ["gzip", "chunked"])
def test_codings_of_the_transfer_are_undone(client, sim, db, kind, asked):
    sim.fault("POST /v2/addresses", kind, times=1)
    got = client.post("/v2/addresses", headers={"Accept-Encoding": asked},
                      document=an_address())
    assert got.status_code == 201, got.text
    own = got.json()["id"]
    assert got.content == client.get(f"/v2/addresses/{own}").content
    if asked == "identity":
        assert "Content-Encoding" not in got.headers
    assert "br" not in got.headers.get("Content-Encoding", "")
    assert db.row("addresses", own)["city"] == got.json()["city"]


def test_a_label_of_a_megabyte(client, sim, db):
    path = "/v2/" + unique("label_")
    document = documents.shipment(bought=True)
    document["postage_label"]["label_file"] = "iVBORw0KGgo" * 95_000
    answer = compact(document)
    assert len(answer) > 1_000_000
    sim.canned("POST", path, answer)
    got = client.post(path)
    assert got.content == answer
    assert db.row("shipments", document["id"])["service"] == "GroundAdvantage"


@pytest.mark.parametrize("kind", ["slow", "late"])
def test_slow_answers_arrive_whole(client, sim, kind):
    made = client.post("/v2/addresses", document=an_address())
    path = f"/v2/addresses/{made.json()['id']}"
    sim.fault(f"GET {path}", kind, seconds=1, times=1)
    got = client.get(path)
    assert (got.status_code, got.content) == (200, made.content)
    assert got.elapsed.total_seconds() >= (0.9 if kind == "late" else 0)


# --- what can go wrong ---------------------------------------------------------


@pytest.mark.parametrize("kind", [
    "reset_before", "reset_after", "close_before", "close_after", "truncate",
    "garbage_http", "bad_gzip"])
def test_faults_of_the_connection(client, sim, kind):
    """Sent, but no whole answer: nobody knows whether it was executed."""
    sim.fault("POST /v2/parcels", kind, times=1)
    mark = unique("parcel ")
    document = {"parcel": {"weight": 10.0, "mark": mark}}
    got = client.post("/v2/parcels", document=document)
    assert_error(got, 502, "UPSTREAM.IN_DOUBT", easypost=True)
    sent = sha256(compact(document))
    assert [call["body_sha256"]
            for call in sim.calls("/v2/parcels")].count(sent) == 1
    assert client.post("/v2/parcels", document=document).status_code == 201


def test_errors_of_easypost_stay_its_own(client, sim):
    path = "/v2/" + unique("fault_")
    sim.fault(f"POST {path}", "status", status=500, times=1)
    got = client.post(path)
    assert got.status_code == 500
    assert got.json()["error"]["code"] == "INTERNAL_SERVER_ERROR"
    sim.fault(f"POST {path}", "retry_after", seconds=3, times=1)
    got = client.post(path)
    assert (got.status_code, got.headers["Retry-After"]) == (429, "3")
    sim.fault(f"POST {path}", "garbage", times=1)
    got = client.post(path)
    assert got.status_code == 200
    assert got.text.startswith("<html>")
    assert client.post(path).status_code == 404


def test_an_answer_without_end_is_refused(odd_stack):
    """More than any label: the worker's memory is not EasyPost's to fill."""
    body = b"x" * (33 * 1024 * 1024)
    head = b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n" % len(body)
    with listening(lambda plain: answer_with(plain, head + body)) as server:
        with changed_settings(odd_stack, ["upstream"], {
                "EASYPOST_API_BASE": f"http://127.0.0.1:{server.port}"}):
            got = Client(odd_stack, odd_stack.key).get("/v2/addresses/adr_1")
            assert_error(got, 502, "UPSTREAM.TOO_LARGE", easypost=True)


def test_a_large_answer_leaves_no_worker_large(odd_stack):
    """An idle worker holds no more than one that never had any."""
    if "asan" in odd_stack.build:
        pytest.skip("sanitizers take memory of their own")
    body = b"x" * (30 * 1024 * 1024)
    head = b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n" % len(body)
    with listening(lambda plain: answer_with(plain, head + body)) as server:
        with changed_settings(odd_stack, ["upstream"], {
                "EASYPOST_API_BASE": f"http://127.0.0.1:{server.port}"}):
            client = Client(odd_stack, odd_stack.key)
            for _ in range(3):
                assert client.get("/v2/x").content == body
                wait_until(lambda: max(
                    map(memory_kb, workers(odd_stack, "upstream"))) <= 8192,
                    5, "workers of 8 MB")


def test_a_large_document_leaves_no_worker_large(odd_stack):
    """Its values take many times as much as its bytes while they are looked at."""
    if "asan" in odd_stack.build:
        pytest.skip("sanitizers take memory of their own")
    shipment = documents.shipment()
    body = compact(shipment | {"options": [[] for _ in range(120_000)]})
    head = (b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\n"
            b"Content-Length: %d\r\n\r\n" % len(body))
    with listening(lambda plain: answer_with(plain, head + body)) as server:
        with changed_settings(odd_stack, ["upstream"], {
                "EASYPOST_API_BASE": f"http://127.0.0.1:{server.port}"}):
            client = Client(odd_stack, odd_stack.key)
            for _ in range(3):
                got = client.get(f"/shipments/{shipment['id']}")
                assert got.status_code == 200, got.text
                wait_until(lambda: max(
                    map(memory_kb, workers(odd_stack, "upstream"))) <= 8192,
                    5, "workers of 8 MB")


def test_nobody_listens_there(odd_stack):
    with socket.create_server(("127.0.0.1", 0)) as server:
        port = server.getsockname()[1]
    with changed_settings(odd_stack, ["upstream"], {
            "EASYPOST_API_BASE": f"http://127.0.0.1:{port}"}):
        client = Client(odd_stack, odd_stack.key)
        for method in METHODS:
            got = client(method, "/v2/addresses")
            assert_error(got, 502, "UPSTREAM.UNREACHABLE", easypost=True)


def test_a_name_that_does_not_exist(odd_stack):
    with changed_settings(odd_stack, ["upstream"], {
            "EASYPOST_API_BASE": "https://easypost.invalid"}):
        got = Client(odd_stack, odd_stack.key).post("/v2/addresses")
        assert_error(got, 502, "UPSTREAM.UNREACHABLE", easypost=True)


def test_a_certificate_that_nobody_vouches_for(odd_stack, tmp_path):
    made = make_certificate(tmp_path, "DNS:localhost,IP:127.0.0.1")
    with listening(tls(made, reached := [])) as server:
        with changed_settings(odd_stack, ["upstream"], {
                "EASYPOST_API_BASE": f"https://127.0.0.1:{server.port}",
                "EASYPOST_CA_FILE": None}):
            got = Client(odd_stack, odd_stack.key).post("/v2/addresses")
            assert_error(got, 502, "UPSTREAM.UNTRUSTED", easypost=True)
    assert reached == []


def test_a_certificate_of_another_name(odd_stack, tmp_path):
    made = make_certificate(tmp_path, "DNS:other.example")
    with listening(tls(made, reached := [])) as server:
        with changed_settings(odd_stack, ["upstream"], {
                "EASYPOST_API_BASE": f"https://127.0.0.1:{server.port}",
                "EASYPOST_CA_FILE": made[0]}):
            got = Client(odd_stack, odd_stack.key).post("/v2/addresses")
            assert_error(got, 502, "UPSTREAM.UNTRUSTED", easypost=True)
    assert reached == []


def test_a_certificate_that_is_trusted(odd_stack, tmp_path):
    made = make_certificate(tmp_path, "DNS:localhost,IP:127.0.0.1")
    with listening(tls(made, reached := [])) as server:
        with changed_settings(odd_stack, ["upstream"], {
                "EASYPOST_API_BASE": f"https://127.0.0.1:{server.port}",
                "EASYPOST_CA_FILE": made[0]}):
            got = Client(odd_stack, odd_stack.key).get("/v2/addresses/adr_1")
            assert (got.status_code, got.content) == (200, b"{}")
    assert len(reached) == 1


def test_no_key_of_this_mode(odd_stack):
    with changed_settings(odd_stack, ["upstream"],
                          {"EASYPOST_API_KEY": None}):
        test = Client(odd_stack, odd_stack.key)
        production = Client(odd_stack, odd_stack.key_production)
        assert test.get("/v2/addresses?page_size=1").status_code == 200
        got = production.get("/v2/addresses?page_size=1")
        assert_error(got, 503, "MODE.NOT_CONFIGURED", easypost=True)


def test_without_a_database_it_still_works_and_says_so(odd_stack):
    with changed_settings(odd_stack, ["upstream"], {"DATABASE_URL": ""}):
        easypost = Client(odd_stack,
                          setting(odd_stack, "EASYPOST_TEST_API_KEY"))
        got = easypost.post("/v2/parcels",
                            document={"parcel": {"weight": 10.0}})
        assert got.status_code == 201, got.text
        assert got.headers["X-Waybill-Recorded"] == "no"
        gateway = Client(odd_stack, odd_stack.key).get("/v2/parcels/x")
        assert gateway.status_code in (401, 503)
        assert_error(gateway, easypost=True)
    got = Client(odd_stack, odd_stack.key).post(
        "/v2/parcels", document={"parcel": {"weight": 10.0}})
    assert got.headers.get("X-Waybill-Recorded") != "no"


# --- only the configured host ---------------------------------------------------


def test_only_the_configured_host_is_ever_called(stack, sim):
    """Absolute targets, redirects, proxies, tricks with @: nobody else."""
    met = []

    def meet(plain):
        met.append(plain.recv(100))

    with listening(meet) as evil:
        there = f"127.0.0.1:{evil.port}"
        key = {"Authorization": authorization(stack.key)}
        redirect = "/v2/" + unique("redirect_")
        for status in (301, 302, 303, 307, 308):
            sim.canned("GET", redirect, b"", query=str(status), status=status,
                       headers={"Location": f"http://{there}/stolen"})
            got = send(stack, "GET", f"{redirect}?{status}", key)
            assert got.status_code == status
            assert got.headers["Location"] == f"http://{there}/stolen"
        for target in (f"http://{there}/v2/x", f"/v2/@{there}/x",
                       f"/v2/http://{there}/x", f"//{there}/v2/x",
                       f"/v2/..//{there}/x", f"/v2/%2e%2e/@{there}/x",
                       f"/v2/x?url=http://{there}/"):
            got = send(stack, "GET", target, key)
            assert got.status_code < 500, (target, got)
        for extra in ({"Host": there}, {"X-Forwarded-Host": there},
                      {"Proxy": f"http://{there}"},
                      {"X-Original-Url": f"http://{there}/"}):
            got = send(stack, "GET", "/v2/addresses/adr_1", key | extra)
            assert got.status_code < 500, (extra, got)
    assert met == []


@pytest.mark.parametrize("target", [
    "/v2/../v2/addresses/x", "/v2/./x", "/v2/%2e%2e/x", "/v2/a%00b",
    "/v2/a%0d%0aX-Evil:1", "/v2/a%2fb%2f..", "/v2/\x7f", "/v2/a\\b",
])
def test_crooked_paths_never_crash_and_never_split(stack, target):
    got = send(stack, "GET", target,
               {"Authorization": authorization(stack.key)})
    assert got.status_code < 500, got
    assert "X-Evil" not in got.headers


# --- connections ------------------------------------------------------------------


def test_reads_share_connections(stack, client, sim):
    """Many calls, few connections: at most one a worker."""
    path = "/v2/" + unique("reuse_")
    sim.canned("GET", path, b"{}")
    for _ in range(60):
        assert client.get(path).status_code == 200
    used = {call["connection"] for call in sim.calls(path)}
    assert len(used) <= len(workers(stack, "upstream"))


MONEY = [
    ("/v2/shipments/shp_{}/buy", {"rate": {"id": "rate_1"}}),
    ("/v2/shipments/shp_{}/insure", {"amount": "100.00"}),
    ("/v2/orders/order_{}/buy", {"carrier": "USPS", "service": "Priority"}),
    ("/v2/pickups/pickup_{}/buy", {"carrier": "USPS", "service": "NextDay"}),
    ("/v2/batches/batch_{}/buy", {}),
    ("/v2/shipments/shp_{}/luma", {}),
    ("/v2/insurances?x={}", {"insurance": {"amount": "1.00"}}),
    ("/v2/shipments?x={}", {"shipment": {"service": "Priority"}}),
    ("/v2/shipments/luma?x={}", {"shipment": {}}),
    ("/v2/credit_cards/card_{}/charges", {"amount": "100.00"}),
    ("/v2/bank_accounts/bank_{}/charges", {"amount": "100.00"}),
]


@pytest.mark.parametrize("path,body", MONEY, ids=[path for path, _ in MONEY])
def test_money_goes_on_a_connection_of_its_own(client, sim, path, body):
    name = unique()
    path, _, query = path.format(name).partition("?")
    sim.canned("POST", path, b"{}", query=query)
    target = path + ("?" + query if query else "")
    for _ in range(4):
        warm = client.get("/v2/addresses/adr_none")
        assert warm.status_code == 404
        assert client.post(target, document=body).status_code == 200
    after = client.get("/v2/addresses/adr_none")
    assert after.status_code == 404
    everything = [call["connection"] for call in sim.calls()]
    for call in sim.calls(name):
        assert everything.count(call["connection"]) == 1, call


@pytest.mark.parametrize("method", ["POST", "PUT", "PATCH", "DELETE"])
def test_a_write_is_sent_once_when_a_kept_connection_dies(
        stack, client, sim, method):
    """libcurl would send it again by itself, and report success."""
    path = "/v2/" + unique("once_")
    for _ in range(3 * len(workers(stack, "upstream"))):
        assert client.get(path).status_code == 404
    body = None if method == "DELETE" else b'{"a":1}'
    for turn in range(8):
        sim.fault(f"{method} {path}", "reset_after", times=1)
        got = client(method, path, data=body)
        assert_error(got, 502, "UPSTREAM.IN_DOUBT", easypost=True)
        executed = [c for c in sim.calls(path) if c["method"] == method]
        assert len(executed) == turn + 1


@pytest.mark.parametrize("body", [None, b"{}"], ids=["bare", "with a body"])
@pytest.mark.parametrize("method", ["GET", "OPTIONS"])
def test_a_read_survives_the_death_of_a_kept_connection(
        odd_stack, method, body):
    """Some clients send a body with every verb; reading twice costs nothing."""
    dying = threading.Event()

    def serve(plain):
        while plain.recv(65536) and not dying.is_set():
            plain.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n{}")
        dying.clear()  # the next connection lives

    with listening(serve) as server:
        with changed_settings(odd_stack, ["upstream"], {
                "WORKERS": "3",  # one of them for upstream calls
                "EASYPOST_API_BASE": f"http://127.0.0.1:{server.port}"}):
            client = Client(odd_stack, odd_stack.key)
            assert client.get("/v2/x").status_code == 200
            dying.set()
            got = client(method, "/v2/x", data=body)
            assert (got.status_code, got.content) == (200, b"{}")
            assert not dying.is_set()


def test_a_label_is_bought_once_when_the_connection_dies(client, sim):
    created = client.post("/v2/shipments", document=a_shipment()).json()
    path = f"/v2/shipments/{created['id']}/buy"
    sim.fault(f"POST {path}", "reset_after", times=1)
    got = client.post(path, document={"rate": created["rates"][0]})
    assert got.status_code == 200 and got.json()["tracking_code"]
    assert len(sim.calls(path)) == 1
    assert client.get(f"/v2/shipments/{created['id']}").content == got.content


def test_who_gave_up_before_its_turn_buys_nothing(odd_stack):
    """A request that waits for a worker is not sent when nobody waits for its
    answer any more: its client may have asked again already."""
    seen, go_on = [], threading.Event()

    def serve(plain):
        seen.append(plain.recv(65536).split(b" ")[1])
        go_on.wait(30)
        plain.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n{}")

    with listening(serve) as server:
        with changed_settings(odd_stack, ["upstream"], {
                "WORKERS": "3",  # one of them for upstream calls
                "EASYPOST_API_BASE": f"http://127.0.0.1:{server.port}"}):
            first = threading.Thread(target=Client(
                odd_stack, odd_stack.key).post, args=("/v2/first",))
            first.start()
            wait_until(lambda: seen == [b"/v2/first"], 10, "the first call")
            for path in ("/v2/shipments", "/v2/shipments/shp_1/buy"):
                with pytest.raises(requests.Timeout):
                    Client(odd_stack, odd_stack.key, timeout=0.3).post(
                        path, data=b"{}")
            wait_until(lambda: odd_stack.logs()["waybill.access.log"].count(
                b'"status":499,') >= 2, 10, "nginx to notice")
            go_on.set()
            first.join(20)
            last = Client(odd_stack, odd_stack.key).post("/v2/last")
            assert last.status_code == 200
            assert seen == [b"/v2/first", b"/v2/last"]


def test_nothing_is_repeated_by_nginx(client, sim):
    """A slow PUT or DELETE is executed once."""
    for method in ("PUT", "DELETE", "GET"):
        path = "/v2/" + unique("repeat_")
        sim.fault(f"{method} {path}", "status", status=503, times=5)
        assert client(method, path).status_code == 503
        assert len(sim.calls(path)) == 1


def test_twenty_at_once(client, sim):
    paths = ["/v2/" + unique("many_") for _ in range(20)]
    for path in paths:
        sim.canned("POST", path, compact({"path": path}))
    got = parallel(20, lambda number: Client(
        client.stack, client.stack.key).post(paths[number]))
    assert [one.json()["path"] for one in got] == paths


# --- the official flow against the stateful simulator ----------------------------


def an_address():
    return {"address": {
        "name": "Elizabeth Swan", "street1": "179 N Harbor Dr",
        "city": "Redondo Beach", "state": "CA", "zip": "90277",
        "country": "US"}}


def a_shipment(**more):
    return {"shipment": {
        "reference": unique("ref-"),
        "to_address": {"name": "Elizabeth Swan", "street1": "179 N Harbor Dr",
                       "city": "Redondo Beach", "state": "CA", "zip": "90277",
                       "country": "US"},
        "from_address": {"name": "Jack Sparrow", "street1": "388 Townsend St",
                         "city": "San Francisco", "state": "CA",
                         "zip": "94107", "country": "US"},
        "parcel": {"length": 10, "width": 8, "height": 4, "weight": 15.4},
    } | more}


def test_the_story_of_a_shipment(client, db):
    created = client.post("/v2/shipments", document=a_shipment())
    assert created.status_code == 201, created.text
    created = created.json()
    assert created["tracking_code"] is None
    stored = db.row("shipments", created["id"])
    assert stored["reference"] == created["reference"]
    assert stored["total_cost"] is None

    chosen = min(created["rates"], key=lambda one: float(one["rate"]))
    bought = client.post(f"/v2/shipments/{created['id']}/buy",
                         document={"rate": {"id": chosen["id"]}})
    assert bought.status_code == 200, bought.text
    bought = bought.json()
    stored = db.row("shipments", created["id"])
    assert stored["tracking_code"] == bought["tracking_code"]
    assert stored["carrier"] == chosen["carrier"]
    assert str(stored["base_cost"]).startswith(chosen["rate"])

    refunded = client.post(f"/v2/shipments/{created['id']}/refund")
    assert refunded.status_code == 200, refunded.text
    assert refunded.json()["refund_status"] == "submitted"
    again = client.get(f"/v2/shipments/{created['id']}").json()
    assert again == refunded.json()


def test_errors_of_the_simulator_pass_through(client):
    missing = client.get("/v2/shipments/shp_" + "0" * 32)
    assert missing.status_code == 404
    assert missing.json()["error"]["code"] == "NOT_FOUND"
    nothing = client.post("/v2/shipments", document={})
    assert nothing.status_code == 422
    assert nothing.json()["error"]["code"] == "PARAMETER.REQUIRED"


# --- servers of this file ------------------------------------------------------------


class Listening:
    """A server that hands each connection to a function."""

    def __init__(self, serve):
        self.server = socket.create_server(("127.0.0.1", 0))
        self.port = self.server.getsockname()[1]
        self.serve = serve
        self.thread = threading.Thread(target=self.run, daemon=True)
        self.thread.start()

    def run(self):
        while True:
            try:
                plain, _ = self.server.accept()
            except OSError:
                return
            threading.Thread(target=self.one, args=(plain,),
                             daemon=True).start()

    def one(self, plain):
        plain.settimeout(10)
        with contextlib.suppress(OSError), plain:
            self.serve(plain)


@contextlib.contextmanager
def listening(serve):
    one = Listening(serve)
    try:
        yield one
    finally:
        one.server.shutdown(socket.SHUT_RDWR)
        one.server.close()
        one.thread.join(5)


def answer_with(plain, data):
    plain.recv(65536)
    plain.sendall(data)


def tls(made, reached):
    """A TLS server; requests that pass the handshake are noted."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(*made)

    def serve(plain):
        with context.wrap_socket(plain, server_side=True) as wire:
            request = wire.recv(65536)
            if request:
                reached.append(request)
                wire.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n{}")

    return serve


def make_certificate(folder, names):
    certificate, key = str(folder / "server.crt"), str(folder / "server.key")
    subprocess.run(
        ["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt",
         "ec_paramgen_curve:prime256v1", "-nodes", "-days", "2", "-subj",
         "/CN=test", "-addext", "subjectAltName=" + names, "-keyout", key,
         "-out", certificate], check=True, capture_output=True)
    os.chmod(folder, 0o755)
    os.chmod(certificate, 0o644)
    return certificate, key


