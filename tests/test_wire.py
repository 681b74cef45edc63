"""The pools as seen from their sockets: what comes through nginx is well-formed, and
nothing depends on that."""

import os
import re
import signal
import socket

import pytest

import documents
from fastcgi import (ABORT, STDIN, ask, connect, head, read_answer, record,
                     stream)
from helpers import (assert_error, authorization, compact, digest, setting,
                     unique, wait_until, workers)
from test_simple import cheapest, made

JSON = {"CONTENT_TYPE": "application/json"}

# A route of each kind that reads a body, and the most that it may have.
BODIES = [
    ("read", "/shipments/batch-track", 128, "KiB"),
    ("read", "/db/shipments", 10, "MiB"),
    ("read", "/dashboard/session", 1, "KiB"),
    ("webhook", "/webhooks/easypost", 2, "MiB"),
    ("upstream", "/v2/addresses", 10, "MiB"),
    ("upstream", "/shipments", 1, "MiB"),
    ("upstream", "/bulk-shipments", 16, "MiB"),
]
UNITS = {"KiB": 1024, "MiB": 1024 * 1024}


@pytest.fixture(name="tell")
def _tell(stack):
    """tell(pool, method, target, ...) with the session's key."""
    def tell(pool, method, target, body=b"", *, params=None, **options):
        given = {"REQUEST_METHOD": method, "REQUEST_URI": target,
                 "REQUEST_ID": unique("wire-"), "REMOTE_ADDR": "192.0.2.1",
                 "CONTENT_LENGTH": str(len(body)) if body else "",
                 "HTTP_AUTHORIZATION": authorization(stack.key),
                 **(params or {})}
        return ask(stack.service.socket(pool),
                   {name: value for name, value in given.items()
                    if value is not None}, body, **options)

    return tell


def access_line(stack, pool, request_id):
    """What the log says of a request in the end."""
    def find():
        for line in reversed(stack.logs()[pool + ".log"].splitlines()):
            if b">request " in line and request_id.encode() in line:
                return line.decode()
        return None

    return wait_until(find, 10, f"the line of {request_id}")


# --- bodies -----------------------------------------------------------------------


@pytest.mark.parametrize("pool,path,most,unit", BODIES)
def test_a_body_that_is_not_whole(tell, sim, db, pool, path, most, unit):
    """Nothing is read of it, kept of it or sent on."""
    def counts():
        return (len(sim.calls()), db.one("select count(*) from shipments"),
                db.one("select count(*) from webhook_events"))

    before = counts()
    signed = {**JSON, "HTTP_X_HMAC_SIGNATURE": "hmac-sha256-hex=00"}
    body = b'{"shipments": []}'
    short = {**signed, "CONTENT_LENGTH": str(len(body) + 1)}
    long = {**signed, "CONTENT_LENGTH": str(len(body) - 1)}
    for params, options in [
            (short, {}), (short, {"end": b"", "half_close": True}), (long, {}),
            ({**signed, "CONTENT_LENGTH": str(len(body))},
             {"end": record(ABORT)}),
            ({**signed, "CONTENT_LENGTH": "-1"}, {}),
            ({**signed, "CONTENT_LENGTH": "1x"}, {}),
            ({**signed, "CONTENT_LENGTH": "9" * 19}, {})]:
        answer = tell(pool, "POST", path, body, params=params, **options)
        assert_error(answer, 400, "BODY.INCOMPLETE")
    too_large = {**signed, "CONTENT_LENGTH": str(most * UNITS[unit] + 1)}
    error = assert_error(tell(pool, "POST", path, body, params=too_large), 413,
                         "BODY.TOO_LARGE")
    assert f"{most} {unit} at most" in error["message"]
    assert counts() == before


def test_a_body_in_many_pieces(tell, stack, db):
    """Records may be cut anywhere."""
    event = documents.event("tracker.updated", documents.tracker())
    body = compact(event)
    secret = setting(stack, "EASYPOST_WEBHOOK_SECRET")
    params = {"REQUEST_METHOD": "POST", "REQUEST_URI": "/webhooks/easypost",
              "CONTENT_LENGTH": str(len(body)),
              "HTTP_X_HMAC_SIGNATURE":
                  "hmac-sha256-hex=" + digest(secret, body)}
    pieces = head(params) + b"".join(
        stream(STDIN, body[at:at + 7]) for at in range(0, len(body), 7)
    ) + record(STDIN)
    with connect(stack.service.socket("webhook")) as wire:
        for at in range(0, len(pieces), 1000):
            wire.sendall(pieces[at:at + 1000])
        assert read_answer(wire).status_code == 200
    assert db.one("select count(*) from webhook_events where easypost_id = %s",
                  event["id"]) == 1


# --- the head -----------------------------------------------------------------------


@pytest.mark.parametrize("given", [
    None, "", "x" * 65, "a b", "a\nb", "\xe4", "EZTK" + "0" * 54,
    "wb_" + "a" * 43])
def test_a_request_id_that_is_none(tell, given):
    """Or that is a secret: another one is made."""
    answer = tell("read", "GET", "/livez", params={"REQUEST_ID": given})
    assert answer.status_code == 200
    assert re.fullmatch("[0-9a-f]{32}", answer.headers["X-Request-Id"])


def test_without_method_target_and_address(tell):
    bare = {"REQUEST_METHOD": None, "REQUEST_URI": None, "REMOTE_ADDR": None}
    assert_error(tell("read", "GET", "/", params=bare), 404, easypost=False)
    bare = {"REQUEST_METHOD": "", "REMOTE_ADDR": ""}
    assert_error(tell("read", "GET", "/livez", params=bare), 405,
                 "METHOD.NOT_ALLOWED", easypost=False)


def test_slashes_in_a_row_are_one(tell):
    assert tell("read", "GET", "//livez").status_code == 200
    assert tell("read", "GET", "///livez?x=//").status_code == 200


def test_a_head_has_no_body(tell):
    whole, answer = (tell("read", method, "/db/shipments?limit=2")
                     for method in ("GET", "HEAD"))
    assert whole.content and answer.content == b""
    assert answer.headers["Content-Length"] == str(len(whole.content))


@pytest.mark.parametrize("name", [
    "HTTP_AUTHORIZATION", "HTTP_IDEMPOTENCY_KEY", "CONTENT_TYPE"])
def test_a_header_that_came_twice(stack, name):
    pairs = [("REQUEST_METHOD", "GET"), ("REQUEST_URI", "/livez"),
             (name, "a"), (name, "b")]
    assert_error(ask(stack.service.socket("read"), pairs), 400,
                 "HEADER.REPEATED", easypost=False)


# --- peers that go --------------------------------------------------------------------


def test_what_is_no_fastcgi_is_dropped(stack, tell):
    for data in (b"", b"GET / HTTP/1.1\r\n\r\n", head({})[:5],
                 b"\x02" + bytes(7), b"\x01\x01" + bytes(30)):
        with connect(stack.service.socket("webhook")) as wire:
            wire.sendall(data)
            wire.shutdown(socket.SHUT_WR)
            wire.recv(1000)
    assert_error(tell("webhook", "GET", "/webhooks/easypost"), 405)


def say_and_go(stack, pool, data):
    """Gone before any worker looks, however long this process has to wait."""
    still = workers(stack, pool)
    for pid in still:
        os.kill(pid, signal.SIGSTOP)
    try:
        with connect(stack.service.socket(pool)) as wire:
            wire.sendall(data)
    finally:
        for pid in still:
            os.kill(pid, signal.SIGCONT)


def test_whoever_goes_before_the_answer_gets_no_label(stack, sim, client):
    """Nobody waits for it any more, and whoever asks again buys again."""
    shipment = made(client)
    request_id = unique("gone-")
    path = f"/shipments/{shipment['id']}/buy"
    body = compact({"rate": cheapest(shipment)})
    say_and_go(stack, "upstream", head({
        "REQUEST_METHOD": "POST", "REQUEST_URI": path,
        "REQUEST_ID": request_id, "CONTENT_LENGTH": str(len(body)),
        "HTTP_AUTHORIZATION": authorization(stack.key)})
        + stream(STDIN, body) + record(STDIN))
    line = access_line(stack, "upstream", request_id)
    assert "status=499" in line and "CLIENT.GONE" in line
    assert sim.calls(f"/v2{path}") == []


def test_whoever_goes_while_it_is_answered_is_noted(stack):
    """And nobody else has to wait for it."""
    request_id = unique("gone-")
    say_and_go(stack, "read", head({
        "REQUEST_METHOD": "GET", "REQUEST_ID": request_id,
        "REQUEST_URI": "/db/shipments?format=ndjson",
        "HTTP_AUTHORIZATION": authorization(stack.key)})
        + record(STDIN))
    assert "client_gone=1" in access_line(stack, "read", request_id)
