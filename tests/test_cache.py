"""nginx's cache of reads: for one second, for one caller, never past what was
asked to be fresh."""

import math
import time

import pytest

import documents
from helpers import (Client, assert_error, authorization, compact, parallel,
                     unique, wait_until)

PLAIN = {"Cache-Control": None}  # as clients ask that know nothing of caches


def read(client, path, **headers):
    return client.get(path, headers={**PLAIN, **headers})


def kept(client, path, **headers):
    """An answer out of the cache."""
    def ask():
        got = read(client, path, **headers)
        return got if got.headers["X-Cache"] == "HIT" else None
    return wait_until(ask, 10, "a hit")


@pytest.fixture(scope="module")
def shipment(stack, sim):
    """A shipment of the test's own: its path and its EasyPost id."""
    client = Client(stack, stack.key)
    document = documents.shipment(bought=True)
    path = "/v2/" + unique("kept_")
    sim.canned("POST", path, document)
    assert client.post(path).content == compact(document)
    return document["id"]


@pytest.fixture
def own(db, client, shipment):
    """The path of the shipment, and a function that changes it."""
    def change(reference):
        db("update shipments set reference = %s where easypost_id = %s",
           reference, shipment)
        return reference
    return f"/db/shipments/{shipment}", change


def reference(answer):
    assert answer.status_code == 200, answer.text
    return answer.json()["data"]["reference"]


def test_what_is_asked_often_is_kept_and_renewed(client, own):
    path, change = own
    first = change(unique("ref-"))
    hit = kept(client, path)
    assert reference(hit) == first
    second = change(unique("ref-"))
    wait_until(lambda: reference(read(client, path)) == second, 10, "news")
    for _ in range(20):  # and never again what was there before
        assert reference(read(client, path)) == second


def test_nothing_kept_is_older_than_a_second(client, own):
    """Also of what was kept at the beginning of a second of the clock."""
    path, change = own
    change(unique("ref-"))
    wait_until(lambda: time.time() % 1 < 0.1, 10, "the beginning of a second")
    kept(client, path)
    begin = time.monotonic()
    second = change(unique("ref-"))
    wait_until(lambda: reference(read(client, path)) == second, 10, "news")
    assert time.monotonic() - begin < 1.3


def poll(page, path, cookie, count):
    """As a page does, with what it has."""
    tag = None
    for _ in range(count):
        answer = read(page, path, Cookie=cookie, **(
            {"If-None-Match": tag} if tag else {}))
        assert answer.status_code in (200, 304)
        tag = answer.headers["ETag"]


def test_many_pages_are_one_request_a_second(stack):
    """Of one session; those who ask just when a second ends may be as many as
    there are."""
    signed = Client(stack).post("/dashboard/session",
                                document={"key": stack.key})
    cookie = "__Host-waybill=" + signed.cookies["__Host-waybill"]
    pages, polls = 8, 60
    place, begin = stack.log_sizes(), time.monotonic()
    parallel(pages, lambda _: poll(
        Client(stack), "/db/analytics/dashboard?days=11", cookie, polls))
    seconds = math.ceil(time.monotonic() - begin)
    asked = stack.logs(place)["read.log"].count(
        b" path=/db/analytics/dashboard ")
    # what is asked for once is not kept yet
    assert 2 <= asked <= pages * (2 + seconds) < pages * polls


def test_a_caller_who_wants_it_fresh_gets_it_fresh(client, own):
    path, change = own
    for wish in ({"Cache-Control": "no-cache"}, {"Cache-Control": "no-store"},
                 {"Cache-Control": "max-age=0"}, {"Pragma": "no-cache"}):
        kept(client, path)
        now = change(unique("ref-"))
        got = read(client, path, **wish)
        assert (got.headers["X-Cache"], reference(got)) == ("BYPASS", now)
        assert read(client, path, **{
            "Cache-Control": "max-age=1",
            "Pragma": "no-cache"}).headers["X-Cache"] != "BYPASS"
        if wish.get("Cache-Control") == "no-store":
            continue  # RFC 9111, 5.2.1.5: of this one nothing is kept
        # Who asks next is not sent back to the time before.
        assert reference(read(client, path)) == now


def test_of_no_store_nothing_is_kept(stack, own):
    path, _ = own
    client = Client(stack, stack.service.make_key(unique("other-"), "test",
                                                  scopes="read"))
    for _ in range(5):
        got = read(client, path, **{"Cache-Control": "max-age=5, no-store"})
        assert got.headers["X-Cache"] == "BYPASS"
    assert read(client, path).headers["X-Cache"] in ("MISS", "EXPIRED")


def test_callers_do_not_see_each_others_answers(stack, client, own):
    """The same target, another key, another way to send it, a cookie."""
    path, _ = own
    kept(client, path)
    other = stack.service.make_key(unique("other-"), "test", scopes="read")
    assert read(Client(stack, other), path).headers["X-Cache"] == "MISS"
    kept(Client(stack, other), path)
    assert read(Client(stack, stack.key, scheme="Basic"),
                path).headers["X-Cache"] == "MISS"
    assert read(client, path, Cookie="a=1").headers["X-Cache"] == "MISS"


def test_who_may_not_read_gets_nothing_kept(stack, client, nobody, own):
    path, _ = own
    kept(client, path)
    writer = stack.service.make_key(unique("writer-"), "test", scopes="write")
    assert_error(read(Client(stack, writer), path), 403, "SCOPE.INSUFFICIENT")
    assert_error(read(nobody, path), 401)
    wrong = stack.key[:-1] + ("a" if stack.key[-1] != "a" else "b")
    assert_error(read(Client(stack, wrong), path), 401)
    assert_error(read(nobody, path, Authorization=authorization("x")), 401)


def test_errors_are_not_kept(client, db, sim):
    document = documents.shipment(bought=True)
    path = f"/db/shipments/{document['id']}"
    for _ in range(5):
        got = read(client, path)
        assert_error(got, 404)
        assert got.headers["X-Cache"] == "MISS"
    store = "/v2/" + unique("kept_")
    sim.canned("POST", store, document)
    client.post(store)
    assert read(client, path).status_code == 200


def test_targets_are_told_apart_to_the_letter(client):
    """Not by what they mean: the order of parameters is part of the key."""
    kept(client, "/db/shipments?limit=1&mode=test")
    got = read(client, "/db/shipments?mode=test&limit=1")
    assert got.headers["X-Cache"] == "MISS"
    got = read(client, "/db/shipments?limit=2&mode=test")
    assert got.headers["X-Cache"] == "MISS"


def test_a_kept_answer_can_be_unchanged(client, own):
    path, _ = own
    hit = kept(client, path)
    same = kept(client, path, **{"If-None-Match": hit.headers["ETag"]})
    assert (same.status_code, same.content) == (304, b"")
    # What is compressed on the way has a weak one (RFC 9110, 8.8.1).
    assert (same.headers["ETag"].removeprefix("W/")
            == hit.headers["ETag"].removeprefix("W/"))
    other = read(client, path, **{"If-None-Match": '"another"'})
    assert (other.status_code, other.content) == (200, hit.content)


def test_head_and_get_are_kept_apart(client, own):
    path, _ = own
    hit = kept(client, path)
    head = client("HEAD", path, headers=PLAIN)
    assert (head.status_code, head.content) == (200, b"")
    assert (head.headers["ETag"].removeprefix("W/")
            == hit.headers["ETag"].removeprefix("W/"))
    assert kept(client, path).content == hit.content


@pytest.mark.parametrize("path", ["/livez", "/readyz", "/health", "/metrics",
                                  "/db/shipments?format=csv",
                                  "/db/shipments?format=ndjson"])
def test_what_tells_of_this_moment_is_not_kept(client, path):
    for _ in range(5):
        assert read(client, path).headers.get("X-Cache", "") != "HIT"
