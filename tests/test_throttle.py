"""A key's limit of requests: one for all workers of all pools of a host."""

import datetime
import re
import threading
import time

import pytest

from env.process import Failed
from env.stack import Stack
from fixtures import simulator
from helpers import (Client, Database, assert_error, parallel, reload_pool,
                     unique, wait_until, workers)
from test_metrics import scrape

READ, PROXY = "/db/shipments?limit=1", "/v2/addresses/adr_1"
LIMITED = "KEY.RATE_LIMITED"


@pytest.fixture(scope="module")
def own(tmp_path_factory):
    with Stack(tmp_path_factory.mktemp("throttle"), conf={
            "WORKERS": "12", "WORKERS_OVERFLOW": "0"}) as one:
        yield one


def limited(stack, per_minute, scopes="read,write"):
    """A client with a key of its own."""
    return Client(stack, stack.service.make_key(
        unique("limited "), "test", scopes=scopes, rate_limit=per_minute))


def key_of(client):
    return client.session.headers["Authorization"].split()[1]


def prefix(client):
    return key_of(client)[:11]


def state(answer):
    """What is left, and the seconds until there is more."""
    found = re.fullmatch(r'"key";r=(\d+);t=(\d+)', answer.headers["RateLimit"])
    return int(found[1]), int(found[2])


def refused(answer, **more):
    assert_error(answer, 429, LIMITED, **more)
    left, wait = state(answer)
    assert left == 0 and 1 <= wait == int(answer.headers["Retry-After"])
    return wait


def use_up(client, path=READ):
    """Asks until it is refused: how many were not, and that refusal."""
    passed = 0
    while (answer := client.get(path)).status_code != 429:
        passed += answer.status_code < 500
    return passed, answer


def test_it_holds_for_all_workers_of_two_pools_together(own):
    """Sixteen at once, half of them to each pool, until each was refused for long:
    what passed is the minute at once and what was due meanwhile."""
    per_minute, rounds = 1200, 150
    key = own.service.make_key(unique("many "), "test", scopes="read",
                               rate_limit=per_minute)
    begun, counts = [], {READ: 0, PROXY: 0}
    lock = threading.Lock()

    def ask(number):
        client, path = Client(own, key), (READ, PROXY)[number % 2]
        begun.append(time.monotonic())
        for _ in range(rounds):
            answer = client.get(path)
            if answer.status_code == 429:
                refused(answer, easypost=path == PROXY)
            else:
                assert answer.status_code in (200, 404)
                assert answer.headers["RateLimit-Policy"] == \
                    f'"key";q={per_minute};w=60'
                with lock:
                    counts[path] += 1

    parallel(16, ask)
    seconds = time.monotonic() - min(begun)
    due = per_minute + seconds * per_minute / 60
    assert 16 * rounds > due * 1.2, "too slow to be refused"
    assert due * 0.95 <= sum(counts.values()) <= due * 1.05
    assert min(counts.values()) > due / 5
    assert min(len(workers(own, pool)) for pool in ("read", "upstream")) > 2


def test_what_is_left_counts_down_and_comes_back(own):
    client = limited(own, 60)
    first = state(client.get(READ))
    assert first == (59, 1)
    passed, answer = use_up(client)
    begun = time.monotonic()
    assert 59 <= passed <= 62
    wait = refused(answer, easypost=False)
    assert wait == 1
    wait_until(lambda: client.get(READ).status_code == 200, 3, "the next one")
    assert time.monotonic() - begun <= wait + 0.5
    refused(client.get(PROXY), easypost=True)


def test_a_refused_request_does_nothing(own):
    client, place = limited(own, 1), unique("/v2/refused_")
    assert client.get(READ).status_code == 200
    wait = refused(client.post(place), easypost=True)
    assert 50 <= wait <= 60
    assert simulator(own).calls(place) == []
    answer = client("HEAD", READ)
    assert (answer.status_code, answer.content) == (429, b"")
    assert state(answer)[0] == 0


def test_what_is_forbidden_counts_too(own):
    client = limited(own, 2, scopes="read")
    answer = client.post(PROXY)
    assert_error(answer, 403, "SCOPE.INSUFFICIENT", easypost=True)
    assert state(answer)[0] == 1
    assert client.get("/nowhere/at/all").status_code == 404
    assert state(client.get(READ))[0] == 0
    refused(client.post(PROXY))


def test_sessions_count_for_their_key(own):
    client = limited(own, 30)
    key = key_of(client)
    cookies = []
    for _ in range(2):
        signed = Client(own).post("/dashboard/session", document={"key": key})
        assert "RateLimit" not in signed.headers
        cookies.append("__Host-waybill=" + signed.cookies["__Host-waybill"])
    left = [state(Client(own).get(READ, headers={"Cookie": cookie}))[0]
            for cookie in cookies * 2] + [state(client.get(READ))[0]]
    assert left == [29, 28, 27, 26, 25]
    assert state(Client(own).get("/dashboard/session", headers={
        "Cookie": cookies[0]}))[0] == 24


def test_others_have_none(own):
    """Keys without a limit, keys of EasyPost's, and who has no key."""
    client = limited(own, 1)
    use_up(client)
    for other, path in ((Client(own, own.key), READ), (Client(own), "/livez"),
                        (Client(own, own.key), PROXY), (Client(own), READ)):
        for _ in range(3):
            answer = other.get(path)
            assert answer.status_code != 429
            assert "RateLimit" not in answer.headers
            assert "RateLimit-Policy" not in answer.headers


def test_what_is_kept_tells_nobody_what_is_left(own):
    """Out of nginx's cache: not counted, and without the headers of the answer
    that was kept."""
    client = limited(own, 1000)
    plain = {"Cache-Control": None}
    answers = []

    def is_hit():
        answers.append(client.get(READ, headers=plain))
        return answers[-1].headers["X-Cache"] == "HIT"

    wait_until(is_hit, 10, "a hit")
    for header in ("RateLimit", "RateLimit-Policy"):
        assert header not in answers[-1].headers
        assert header in answers[0].headers
    made = [one for one in answers if one.headers["X-Cache"] != "HIT"]
    left = state(client.get(READ))[0]
    # It comes back at 16 a second.
    assert 999 - len(made) <= left
    tag = answers[-1].headers["ETag"]
    same = client.get(READ, headers={"If-None-Match": tag})
    assert same.status_code == 304 and state(same)[0] <= 999


@pytest.fixture
def own_db(own):
    found = Database(own.database_url)
    yield found
    found.close()


def test_it_holds_while_the_database_is_away(own):
    """What was known of the key is still so, for a minute."""
    client = limited(own, 300)
    for _ in range(5):  # each worker asks for the key by itself
        parallel(12, lambda _: Client(own, key_of(client)).get(PROXY))
    own.postgres.crash()
    try:
        passed, answer = use_up(client, PROXY)
        assert 0 < passed <= 300
        refused(answer, easypost=True)
    finally:
        own.postgres.start()
    wait_until(lambda: Client(own, own.key).get(READ).status_code == 200, 30,
               "the database")


def test_a_new_generation_forgives_nothing(own):
    client = limited(own, 3)
    assert use_up(client)[0] == 3
    for pool in ("read", "upstream"):
        reload_pool(own, pool)
        refused(client.get(READ if pool == "read" else PROXY))
    own.service.restart("read")
    refused(client.get(READ))


def test_refusals_are_counted(own):
    def count():
        metrics = scrape(own)
        return [metrics.value("limited_requests_total", pool=pool,
                              limit="rate") for pool in ("read", "upstream",
                                                         "webhook")]

    before = count()
    client = limited(own, 1)
    use_up(client)
    for _ in range(2):
        refused(client.get(PROXY))
    assert [now - then for now, then in zip(count(), before)] == [1, 2, 0]


# --- how it is set ------------------------------------------------------------------------


def listed(stack, client):
    """The words of the key's line in the list."""
    return next(line for line in stack.waybill("key", "list").splitlines()
                if prefix(client) in line).split()


def test_it_can_be_changed_and_taken_away(own):
    client = limited(own, 7)
    assert "7" in listed(own, client)
    assert use_up(client)[0] == 7
    said = own.waybill("key", "limit", prefix(client), "--rate-limit", "100000")
    assert said == f"limited {prefix(client)}\n"
    wait_until(lambda: "q=100000" in client.get(READ).headers[
        "RateLimit-Policy"], 1.5, "the new limit")
    assert "100000" in listed(own, client)
    own.waybill("key", "limit", prefix(client), "--rate-limit", "none")
    wait_until(lambda: "RateLimit" not in client.get(READ).headers, 1.5,
               "no limit")
    assert "100000" not in listed(own, client)


def test_a_key_can_have_an_end(own, own_db):
    key = own.service.make_key(unique("ends "), "test", scopes="read",
                               expires_at="2000-01-01T00:00Z")
    client = Client(own, key)
    assert_error(client.get(READ), 401, "AUTHENTICATION.INVALID")
    own.waybill("key", "limit", key[:11], "--rate-limit", "50",
                "--expires-at", "none")
    wait_until(lambda: client.get(READ).status_code == 200, 1.5, "the key")
    own.waybill("key", "limit", key[:11], "--expires-at", "2100-02-03 04:05")
    found = own_db("select expires_at, requests_per_minute from api_keys "
                   "where prefix = %s", key[:11])
    assert found == [(datetime.datetime(
        2100, 2, 3, 4, 5, tzinfo=datetime.timezone.utc), 50)]
    own.waybill("key", "limit", key[:11], "--expires-at", "2001-01-01T00:00Z")
    wait_until(lambda: client.get(READ).status_code == 401, 1.5, "its end")
    changes = own_db(
        "select new_row ->> 'expires_at' from audit_log join api_keys k "
        "on k.id::text = row_id where k.prefix = %s order by 1", key[:11])
    assert len(changes) == 4


@pytest.mark.parametrize("words", [
    ["--rate-limit", "0"], ["--rate-limit", "-1"], ["--rate-limit", "x"],
    ["--rate-limit", "1000001"], ["--rate-limit", "1.5"],
    ["--rate-limit", "99999999999"], ["--expires-at", "tomorrow or so"],
    ["--expires-at", "2026-02-30"]], ids=" ".join)
def test_limits_that_are_none(own, own_db, words):
    name = unique("never ")
    with pytest.raises(Failed) as failed:
        own.waybill("key", "create", "--name", name, "--mode", "test",
                    "--scopes", "read", *words)
    assert "status 1" in str(failed.value) and words[0] in str(failed.value)
    client = limited(own, 11)
    with pytest.raises(Failed) as failed:
        own.waybill("key", "limit", prefix(client), *words)
    assert "status 1" in str(failed.value) and words[0] in str(failed.value)
    assert "11" in listed(own, client)
    assert own_db("select 1 from api_keys where name = %s", name) == []


@pytest.mark.parametrize("words,status", [
    ([], 2), (["--rate-limit", "5"], 2), (["a", "b"], 2),
    (["wb_nothing_", "--name", "x"], 2),
    (["wb_nothing_", "--rate-limit", "5"], 1)])
def test_words_that_name_no_key(own, words, status):
    with pytest.raises(Failed) as failed:
        own.waybill("key", "limit", *words)
    assert f"status {status}" in str(failed.value)
