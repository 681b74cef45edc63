"""At the edge of what is allowed, and just past it: which of the two it is, and what
the client is told."""

import csv
import io
import json

import pytest

from fastcgi import ask
from helpers import (Client, assert_error, authorization, changed_settings,
                     compact, setting, unique)
from test_simple import keyed

# --- many tracking codes ------------------------------------------------------------


@pytest.mark.parametrize("codes", [
    ["x" * 4], ["x" * 64], ["aZ09-"], ["EZ1000000001"] * 1000])
def test_codes_that_are_taken(client, codes):
    got = client.post("/shipments/batch-track",
                      document={"tracking_codes": codes})
    assert got.status_code == 200, got.text
    assert len(got.json()["data"]["trackings"]) == len(codes)


@pytest.mark.parametrize("codes,field", [
    (["EZ1000000001", 1], "tracking_codes[1]"),
    ([None], "tracking_codes[0]"), (["x" * 3], "tracking_codes[0]"),
    (["x" * 65], "tracking_codes[0]"), (["EZ10\u0000000"], "tracking_codes[0]"),
    (["EZ1000 00001"], "tracking_codes[0]"), (["EZ_10000000"],
                                              "tracking_codes[0]"),
    ([], "tracking_codes"), ({}, "tracking_codes"), (None, "tracking_codes"),
    (["EZ1000000001"] * 1001, "tracking_codes")])
def test_codes_that_are_not(client, codes, field):
    got = client.post("/shipments/batch-track",
                      document={"tracking_codes": codes})
    error = assert_error(got, (400, 422), easypost=False)
    if got.status_code == 422:
        assert error["errors"][0]["field"] == field
    else:
        assert error["code"] == "BODY.MALFORMED"


@pytest.mark.parametrize("body,status", [
    (b"[]", 422), (b'"x"', (400, 422)), (b"{", 400), (b"", 400),
    (b'{"tracking_codes":["EZ1000000001"],"more":1}', 422)])
def test_a_body_that_is_no_list_of_codes(client, body, status):
    got = client.post("/shipments/batch-track", data=body,
                      headers={"Content-Type": "application/json"})
    assert_error(got, status, easypost=False)


# --- what a body must say it is -----------------------------------------------------------


@pytest.mark.parametrize("kind", [
    "application/jsox", "application/json; charset=latin1",
    "application/json;charset", ";", "application/merge-patch+jsox"])
def test_another_type_of_the_same_length(client, kind):
    for method, path in (("POST", "/db/shipments"),
                         ("PATCH", "/db/shipments/x")):
        got = client(method, path, data=b"{}", headers={"Content-Type": kind})
        assert "application/json" in assert_error(
            got, 415, "MEDIA_TYPE.UNSUPPORTED", easypost=False)["message"]


@pytest.mark.parametrize("body", [b"", b" \r\n\t", b'"text"', b"null"])
def test_a_write_without_an_object(client, body):
    got = client.post("/db/shipments", data=body,
                      headers={"Content-Type": "application/json"})
    assert_error(got, 400, "BODY.MALFORMED", easypost=False)


def test_a_patch_whose_id_is_none(client):
    for reference in ("x" * 65, "a%20b", "a.b"):
        got = client("PATCH", "/db/shipments/" + reference, document={})
        assert_error(got, 400, "PARAMETER.INVALID", easypost=False)
    for method in ("PATCH", "DELETE"):
        options = {"document": {"reference": "x"}} if method == "PATCH" else {}
        assert_error(client(method, "/db/shipments/" + "x" * 64, **options),
                     404, "NOT_FOUND", easypost=False)


# --- keys of purchases ----------------------------------------------------------------


@pytest.mark.parametrize("key", ["", " ", "a b", "x" * 256, "\x7f", "\xe4",
                                 "a\x01"])
def test_an_idempotency_key_that_is_none(stack, sim, key):
    before = len(sim.calls())
    body = compact({"parcel": {"weight": 10.0}})
    got = ask(stack.service.socket("upstream"), {
        "REQUEST_METHOD": "POST", "REQUEST_URI": "/v2/parcels",
        "HTTP_AUTHORIZATION": authorization(stack.key),
        "HTTP_IDEMPOTENCY_KEY": key, "CONTENT_LENGTH": str(len(body))}, body)
    error = assert_error(got, 400, "HEADER.INVALID", easypost=True)
    assert error["errors"][0]["field"] == "Idempotency-Key"
    assert len(sim.calls()) == before


@pytest.mark.parametrize("body,is_kept", [
    (b'{"a":1.0} \r\n', True), (b" [1] ", True), (b"{}", True), (b"", True),
    (b"[}", False), (b"{]", False), (b"{", False), (b"   ", False),
    (b'"text"', False)])
def test_an_answer_that_can_be_told_again(client, sim, body, is_kept):
    """Whoever asks once more with the key gets the same bytes.  What is no JSON is
    passed on and not kept."""
    path = "/v2/" + unique("made_")
    sim.canned("POST", path, body, status=201)
    headers = keyed()
    first = client.post(path, document={}, headers=headers)
    assert (first.status_code, first.content) == (201, body)
    again = client.post(path, document={}, headers=headers)
    if is_kept:
        assert (again.status_code, again.content) == (201, body)
        assert again.headers["Idempotent-Replayed"] == "true"
        assert len(sim.calls(path)) == 1
    else:
        assert again.headers.get("Idempotent-Replayed") is None


# --- sessions and health --------------------------------------------------------------


@pytest.mark.parametrize("method", ["GET", "POST", "DELETE"])
def test_a_session_has_no_parameters(client, method):
    options = {"document": {"key": "x"}} if method == "POST" else {}
    assert_error(client(method, "/dashboard/session?x=1", **options), 400,
                 "PARAMETER.UNKNOWN", easypost=False)


@pytest.mark.parametrize("document", [
    {}, {"key": ""}, {"key": 1}, {"key": "x", "more": 1}, []])
def test_a_session_that_cannot_be_begun(client, document):
    got = client.post("/dashboard/session", document=document)
    assert_error(got, (400, 422), easypost=False)
    assert "Set-Cookie" not in got.headers


def test_a_session_that_was_never_begun_can_be_ended(nobody):
    got = nobody("DELETE", "/dashboard/session")
    assert got.status_code == 204
    assert "Max-Age=0" in got.headers["Set-Cookie"]


def test_migrations_that_cannot_be_read_or_are_newer(odd_stack, tmp_path):
    """Not ready, and why."""
    newer = tmp_path / "newer" / "migrations"
    newer.mkdir(parents=True)
    for name in ("9999_later.up.sql", "README", "12_short.sql"):
        (newer / name).touch()
    for place, words in ((tmp_path / "none", "WAYBILL_SQL_DIR"),
                         (newer.parent, "waybill migrate up")):
        with changed_settings(odd_stack, ["read"],
                              {"WAYBILL_SQL_DIR": str(place)}):
            got = Client(odd_stack).get("/readyz")
            error = assert_error(got, 503, "NOT_READY", easypost=False)
            assert words in error["message"]
            health = Client(odd_stack, odd_stack.key).get("/health")
            data = health.json()["data"]
            assert data["status"] == "degraded"
            assert data["database"]["status"] == "outdated"


def test_health_without_a_pool_and_a_spool(odd_stack, tmp_path):
    """What is not known is null, and something is wrong."""
    client = Client(odd_stack, odd_stack.key)
    assert setting(odd_stack, "WAYBILL_SPOOL_DIR")
    with changed_settings(odd_stack, ["read"], {
            "WAYBILL_SPOOL_DIR": str(tmp_path / "none")}):
        odd_stack.service.stop("webhook")
        try:
            data = client.get("/health").json()["data"]
            metrics = client.get("/metrics").text
        finally:
            odd_stack.service.start("webhook")
    assert data["spool"] == {"depth": None, "bad": None}
    assert data["pools"]["webhook"] is None
    assert data["pools"]["read"]["pool_size"] >= 1
    assert data["status"] == "degraded"
    assert "waybill_spool_records" not in metrics


# --- exports ----------------------------------------------------------------------------


def test_rows_that_do_not_fit_into_one_page(client, stack):
    """A page is given up and read again in smaller parts; no row is lost, none
    comes twice."""
    name, count = unique("fat-"), 90
    try:
        stack.psql(
            "insert into waybill.shipments (mode, reference, extra_metadata)"
            f" select 'test', '{name}', jsonb_build_object('n', n, 'note',"
            f" repeat('x', 59000)) from generate_series(1, {count}) n")
        lines = client.get("/db/shipments?format=ndjson&reference=" + name
                           ).text.splitlines()
        numbers = [json.loads(line)["extra_metadata"]["n"] for line in lines]
        assert sorted(numbers) == list(range(1, count + 1))
        text = client.get("/db/shipments?format=csv&reference=" + name).text
        assert len(list(csv.DictReader(io.StringIO(text)))) == count
    finally:
        stack.psql(f"delete from waybill.shipments where reference = '{name}'")
