"""What spends money below /v2 is done once: with a key, without one, and when
nobody knows what became of it."""

import os
import random
import signal
import threading
from collections import Counter

import pytest

from fixtures import simulator
from helpers import (Client, Database, assert_error, parallel, setting,
                     unique, wait_until, workers)
from test_simple import FROM, PARCEL, TO, cheapest, keyed


def forget_faults(sim):
    sim.session.delete(sim.base + "/_sim/fault", timeout=10)


@pytest.fixture(autouse=True)
def calm(sim):
    """No fault is left for the next test."""
    yield
    forget_faults(sim)


def shipment(client, **more):
    answer = client.post("/v2/shipments", document={"shipment": {
        "to_address": TO, "from_address": FROM, "parcel": PARCEL,
        "reference": unique("ref-")} | more})
    assert answer.status_code == 201, answer.text
    return answer.json()


def bought_shipment(client):
    made = shipment(client)
    got = client.post(f"/v2/shipments/{made['id']}/buy",
                      document={"rate": cheapest(made)})
    assert got.status_code == 200, got.text
    return got.json()


# --- what can be done to a thing: its path, its body, and how one sees it ------------


def buy_a_shipment(client):
    made = shipment(client)
    return (f"/v2/shipments/{made['id']}/buy",
            {"rate": {"id": cheapest(made)["id"]}},
            lambda seen: seen["tracking_code"])


def refund_a_shipment(client):
    return (f"/v2/shipments/{bought_shipment(client)['id']}/refund", {},
            lambda seen: seen["refund_status"] == "submitted")


def insure_a_shipment(client):
    return (f"/v2/shipments/{bought_shipment(client)['id']}/insure",
            {"amount": "120.00"}, lambda seen: len(
                [fee for fee in seen["fees"] if fee["type"] == "InsuranceFee"]
            ) == 1)


def buy_an_order(client):
    made = client.post("/v2/orders", document={"order": {
        "to_address": TO, "from_address": FROM,
        "shipments": [{"parcel": PARCEL}, {"parcel": PARCEL}]}}).json()
    rate = made["rates"][0]
    return (f"/v2/orders/{made['id']}/buy",
            {"carrier": rate["carrier"], "service": rate["service"]},
            lambda seen: all(one["tracking_code"]
                             for one in seen["shipments"]))


def buy_a_pickup(client):
    made = client.post("/v2/pickups", document={"pickup": {
        "address": FROM, "shipment": {"id": bought_shipment(client)["id"]},
        "min_datetime": "2030-01-02T10:00:00Z",
        "max_datetime": "2030-01-02T12:00:00Z"}}).json()
    rate = made["pickup_rates"][0]
    return (f"/v2/pickups/{made['id']}/buy",
            {"carrier": rate["carrier"], "service": rate["service"]},
            lambda seen: seen["status"] == "scheduled")


def buy_a_batch(client):
    lines = [{"to_address": TO, "from_address": FROM, "parcel": PARCEL,
              "carrier": "USPS", "service": "Priority"} for _ in range(2)]
    made = client.post("/v2/batches",
                       document={"batch": {"shipments": lines}}).json()
    wait_until(lambda: client.get("/v2/batches/" + made["id"]).json()["state"]
               == "created", 10, "the batch")
    return (f"/v2/batches/{made['id']}/buy", {},
            lambda seen: seen["shipments"])


def refund_an_insurance(client):
    made = client.post("/v2/insurances", document={"insurance": {
        "to_address": TO, "from_address": FROM, "amount": "100.00",
        "tracking_code": "EZ2000000002", "carrier": "USPS"}})
    assert made.status_code == 201, made.text
    return (f"/v2/insurances/{made.json()['id']}/refund", {},
            lambda seen: seen["status"] == "cancelled")


DEEDS = [buy_a_shipment, refund_a_shipment, insure_a_shipment, buy_an_order,
         buy_a_pickup, buy_a_batch, refund_an_insurance]


def done(answer, is_done):
    assert answer.status_code == 200, answer.text
    assert is_done(answer.json()), answer.text
    return answer


def claims_of(db, path):
    """The claim of the thing."""
    thing, deed = path.split("/")[3:]
    return [row[0] for row in db(
        "select state from idempotency_claims where caller = '' "
        "and idempotency_key = %s", f"{deed} {thing}")]


# --- with a key ------------------------------------------------------------------------


@pytest.mark.parametrize("deed", DEEDS)
def test_the_same_request_again_has_the_same_answer(client, sim, db, deed):
    path, body, is_done = deed(client)
    headers = keyed()
    first = done(client.post(path, document=body, headers=headers), is_done)
    for _ in range(2):
        again = client.post(path, document=body, headers=headers)
        assert (again.status_code, again.content) == (200, first.content)
        assert again.headers["Idempotent-Replayed"] == "true"
        assert again.headers["Content-Type"] == first.headers["Content-Type"]
    assert len(sim.calls(path)) == 1
    assert claims_of(db, path) == []
    error = assert_error(client.post(path, document={**body, "x": 1},
                                     headers=headers),
                         422, "IDEMPOTENCY.MISMATCH", easypost=True)
    assert error["errors"][0]["field"] == "Idempotency-Key"
    assert len(sim.calls(path)) == 1


@pytest.mark.parametrize("key", ["x" * 256, "a b", ""])
def test_a_key_that_is_none(client, sim, key):
    path, body, _ = buy_a_shipment(client)
    assert_error(client.post(path, document=body,
                             headers={"Idempotency-Key": key}), 400,
                 "HEADER.INVALID", easypost=True)
    assert sim.calls(path) == []


def test_what_makes_something_new(client, sim):
    """Anything that is posted: a key makes it once."""
    code = bought_shipment(client)["tracking_code"]
    for path, body, status in (
            ("/v2/refunds", {"refund": {"carrier": "USPS",
                                        "tracking_codes": [code]}}, 201),
            ("/v2/insurances", {"insurance": {
                "to_address": TO, "from_address": FROM, "amount": "10.00",
                "tracking_code": "EZ2000000002", "carrier": "USPS"}}, 201),
            ("/v2/trackers", {"tracker": {"tracking_code": "EZ3000000003",
                                          "carrier": "USPS"}}, None),
            ("/v2/addresses", {"address": TO}, 201)):
        headers, before = keyed(), len(sim.calls(path))
        first = client.post(path, document=body, headers=headers)
        assert first.status_code == status or status is None, first.text
        again = client.post(path, document=body, headers=headers)
        assert (again.status_code, again.content) == (
            first.status_code, first.content)
        assert len(sim.calls(path)) == before + 1


def test_a_key_belongs_to_its_caller(stack, client, sim):
    headers, ids = keyed(), set()
    for key in (stack.key, stack.key_production,
                setting(stack, "EASYPOST_TEST_API_KEY"),
                setting(stack, "EASYPOST_API_KEY")):
        own = Client(stack, key)
        answers = [own.post("/v2/addresses", document={"address": TO},
                            headers=headers) for _ in range(2)]
        assert answers[0].content == answers[1].content
        ids.add(answers[0].json()["id"])
    assert len(ids) == 4


@pytest.mark.parametrize("deed", DEEDS)
def test_a_refusal_gives_the_key_back(client, sim, db, deed):
    path, body, is_done = deed(client)
    headers = keyed()
    sim.fault(f"POST {path}", "status", status=402)
    got = client.post(path, document=body, headers=headers)
    assert got.status_code == 402 and "told to fail" in got.text
    assert claims_of(db, path) == []
    done(client.post(path, document=body, headers=headers), is_done)


def test_many_at_once_with_one_key(stack, client, sim):
    path, body, is_done = buy_a_shipment(client)
    headers = keyed()
    sim.fault(f"POST {path}", "late", seconds=1)
    answers = parallel(8, lambda _: Client(stack, stack.key).post(
        path, document=body, headers=headers))
    assert len(sim.calls(path)) == 1
    assert 200 in {answer.status_code for answer in answers}
    for answer in answers:
        if answer.status_code == 200:
            is_done(answer.json())
        else:
            assert_error(answer, 409, "IDEMPOTENCY.IN_FLIGHT", easypost=True)
            assert int(answer.headers["Retry-After"]) >= 1


# --- without a key ---------------------------------------------------------------------


@pytest.mark.parametrize("deed", DEEDS)
def test_a_thing_guards_itself_while_it_is_done(stack, client, sim, deed):
    path, body, is_done = deed(client)
    sim.fault(f"POST {path}", "late", seconds=1)
    answers = parallel(4, lambda _: Client(stack, stack.key).post(
        path, document=body))
    assert len(sim.calls(path)) == 1
    for answer in answers:
        if answer.status_code != 200:
            assert_error(answer, 409, "IDEMPOTENCY.IN_FLIGHT", easypost=True)
    assert [is_done(answer.json()) for answer in answers
            if answer.status_code == 200]


def test_afterwards_easypost_says_what_it_says(client, sim, db):
    """The bytes of its refusal; no claim is left behind."""
    path, body, is_done = buy_a_shipment(client)
    done(client.post(path, document=body), is_done)
    again = client.post(path, document=body)
    assert_error(again, 422, "SHIPMENT.POSTAGE.EXISTS")
    assert "Idempotent-Replayed" not in again.headers
    assert len(sim.calls(path)) == 2
    assert claims_of(db, path) == []


def test_both_ways_to_buy_are_one(stack, client, sim):
    """/shipments/{id}/buy and /v2/shipments/{id}/buy, two keys."""
    path, body, _ = buy_a_shipment(client)
    sim.fault(f"POST {path}", "late", seconds=1)
    answers = parallel(4, lambda number: Client(stack, stack.key).post(
        path if number % 2 else path[3:], headers=keyed(),
        document=body if number % 2 else {"rate": body["rate"]["id"]}))
    assert len(sim.calls(path)) == 1
    assert {answer.status_code for answer in answers} <= {200, 409}


# --- in doubt ----------------------------------------------------------------------------


AFTER = ["reset_after", "close_after", "truncate", "bad_gzip"]


@pytest.mark.parametrize("key", [True, False])
@pytest.mark.parametrize("kind", AFTER)
@pytest.mark.parametrize("deed", DEEDS)
def test_done_but_nobody_was_told(client, sim, db, deed, kind, key):
    """EasyPost is asked at once, and shows that it was done."""
    path, body, is_done = deed(client)
    headers = keyed() if key else {}
    sim.fault(f"POST {path}", kind)
    first = done(client.post(path, document=body, headers=headers), is_done)
    assert claims_of(db, path) == []
    if key:
        again = client.post(path, document=body, headers=headers)
        assert again.content == first.content
    assert len(sim.calls(path)) == 1
    thing = path.rsplit("/", 1)[0]
    assert is_done(client.get(thing).json())


@pytest.mark.parametrize("key", [True, False])
@pytest.mark.parametrize("kind", ["reset_before", "close_before", "garbage",
                                  "status"])
@pytest.mark.parametrize("deed", DEEDS)
def test_not_done_and_nobody_was_told(client, sim, db, deed, kind, key):
    """The failure is passed on, the doubt stays; the next attempt does it."""
    path, body, is_done = deed(client)
    headers = keyed() if key else {}
    sim.fault(f"POST {path}", kind)
    first = client.post(path, document=body, headers=headers)
    if kind == "garbage":  # relayed as it came, but no answer to keep
        assert first.status_code == 200
    else:
        assert first.status_code == (500 if kind == "status" else 502)
    assert claims_of(db, path) == ["in_doubt"]
    done(client.post(path, document=body, headers=headers), is_done)
    assert claims_of(db, path) == []
    assert len(sim.calls(path)) == 2


@pytest.mark.parametrize("deed", DEEDS)
def test_the_look_fails_too(client, sim, db, deed):
    """The failure stays the answer; the next attempt looks first."""
    path, body, is_done = deed(client)
    headers = keyed()
    thing = path.rsplit("/", 1)[0]
    sim.fault(f"POST {path}", "close_after")
    sim.fault(f"GET {thing}", "status", status=503, times=2)
    assert_error(client.post(path, document=body, headers=headers), 502,
                 "UPSTREAM.IN_DOUBT", easypost=True)
    error = assert_error(client.post(path, document=body, headers=headers),
                         502, "UPSTREAM.IN_DOUBT", easypost=True)
    assert "nothing was sent" in error["message"]
    assert claims_of(db, path) == ["in_doubt"]
    adopted = done(client.post(path, document=body, headers=headers), is_done)
    assert "Idempotent-Replayed" not in adopted.headers
    assert len(sim.calls(path)) == 1
    assert client.post(path, document=body,
                       headers=headers).content == adopted.content


def test_a_late_failure_of_easyposts_own(client, sim, db):
    """500 after the effect."""
    path, body, is_done = buy_a_shipment(client)
    thing = path.rsplit("/", 1)[0]
    made = client.get(thing).json()
    sim.fault(f"POST {path}", "reset_after")
    # What it shows at first is from before.
    sim.canned("GET", thing, made, times=1)
    assert_error(client.post(path, document=body), 502, "UPSTREAM.IN_DOUBT")
    sim.canned("GET", thing, made, times=1)
    # Sent again, it is refused; and then the first one has ended.
    done(client.post(path, document=body), is_done)
    assert len(sim.calls(path)) == 2
    assert db.row("shipments", made["id"])["tracking_code"]


def test_what_was_bought_with_another_rate_is_not_the_answer(client, sim):
    path, body, _ = buy_a_shipment(client)
    thing = path.rsplit("/", 1)[0]
    other = client.get(thing).json()["rates"][-1]["id"]
    assert other != body["rate"]["id"]
    sim.fault(f"POST {path}", "close_after")
    sim.fault(f"GET {thing}", "status", status=503)
    assert client.post(path, document=body).status_code == 502
    assert_error(client.post(path, document={"rate": {"id": other}}), 422,
                 "SHIPMENT.POSTAGE.EXISTS")
    got = client.post(path[3:], document={"rate": other})
    assert_error(got, 422, "SHIPMENT.POSTAGE.EXISTS", easypost=False)


def test_insured_for_another_amount_is_not_insured(client, sim):
    path, body, _ = insure_a_shipment(client)
    assert client.post(path, document={"amount": "50.00"}).status_code == 200
    sim.fault(f"POST {path}", "reset_before")
    assert client.post(path, document=body).status_code == 502
    got = client.post(path, document=body)
    assert got.json()["insurance"] == "120.00"
    sim.fault(f"POST {path}", "reset_after")
    again = client.post(path, document={"amount": 130})
    assert again.json()["insurance"] == "130.00"
    assert len(sim.calls(path)) == 4


@pytest.mark.parametrize("path", ["/v2/refunds", "/v2/insurances",
                                  "/v2/shipments", "/v2/orders",
                                  "/v2/batches"])
def test_what_nobody_can_be_asked_for_is_not_repeated(client, sim, path):
    headers, body = keyed(), {"a": unique()}
    sim.fault(f"POST {path}", "reset_after")
    assert_error(client.post(path, document=body, headers=headers), 502,
                 "UPSTREAM.IN_DOUBT", easypost=True)
    before = len(sim.calls(path))
    for _ in range(2):
        error = assert_error(client.post(path, document=body, headers=headers),
                             409, "IDEMPOTENCY.IN_DOUBT", easypost=True)
        assert "new key" in error["message"]
    assert len(sim.calls(path)) == before


def test_what_is_not_there_is_no_doubt(client, sim):
    path = f"/v2/shipments/shp_{unique()}/buy"
    sim.fault(f"POST {path}", "reset_before")
    assert client.post(path, document={"rate": "rate_1"}).status_code == 502
    assert_error(client.post(path, document={"rate": "rate_1"}), 404)
    assert len(sim.calls(path)) == 2


def test_what_costs_nothing_is_repeated(client, sim):
    headers = keyed()
    sim.fault("POST /v2/addresses", "reset_after")
    assert client.post("/v2/addresses", document={"address": TO},
                       headers=headers).status_code == 502
    assert client.post("/v2/addresses", document={"address": TO},
                       headers=headers).status_code == 201


def test_a_worker_dies_during_the_purchase(odd_stack):
    client, sim = Client(odd_stack, odd_stack.key), simulator(odd_stack)
    db = Database(odd_stack.database_url)
    path, body, is_done = buy_a_shipment(client)
    sim.fault(f"POST {path}", "late", seconds=5)
    answers = []
    thread = threading.Thread(target=lambda: answers.append(Client(
        odd_stack, odd_stack.key).post(path, document=body)))
    thread.start()
    wait_until(lambda: sim.calls(path), 10, "the purchase")
    for pid in workers(odd_stack, "upstream"):
        os.kill(pid, signal.SIGKILL)
    thread.join(20)
    assert answers[0].status_code == 502
    assert_error(client.post(path, document=body), 409,
                 "IDEMPOTENCY.IN_FLIGHT", easypost=True)
    db("update idempotency_claims set created_at = now() - interval '61 s' "
       "where idempotency_key = %s", "buy " + path.split("/")[3])
    done(client.post(path, document=body), is_done)
    assert len(sim.calls(path)) == 1
    db.close()


# --- while the database is away ------------------------------------------------------------


def test_while_the_database_is_away(make_stack):
    """A key that could not be kept is refused; without one, labels go on."""
    own = make_stack(conf={"WORKERS": "3", "WORKERS_OVERFLOW": "0"})
    client, sim = Client(own, own.key), simulator(own)
    keyless, with_key = buy_a_shipment(client), buy_a_shipment(client)
    own.postgres.crash()
    try:
        path, body, _ = with_key
        assert_error(client.post(path, document=body, headers=keyed()), 503,
                     "DATABASE.UNAVAILABLE", easypost=True)
        assert sim.calls(path) == []
        path, body, is_done = keyless
        done(client.post(path, document=body), is_done)
        assert b">claim.unguarded " in own.logs()["upstream.log"]
    finally:
        own.postgres.start()
    db = Database(own.database_url)
    wait_until(lambda: (db.row("shipments", path.split("/")[3]) or {}).get(
        "tracking_code"), 20, "the label")
    db.close()


# --- whatever happens ------------------------------------------------------------------------


PURCHASES = int(os.environ.get("TEST_PURCHASES", "120"))
FAULTS = [None, "timeout_before", "timeout_after", "reset_before",
          "reset_after", "close_before", "close_after", "truncate", "status",
          "late", "garbage", "bad_gzip", "slow"]
CLIENTS = 6


def test_each_label_is_sold_once_whatever_happens(stack, sim, db):
    """Random faults, clients that ask again with and without their key, two at
    once; in the end everybody has the one label."""
    seed = int(os.environ.get("TEST_SEED", "7"))

    def one_client(number):
        chance = random.Random(f"{seed} {number}")
        client = Client(stack, stack.key)
        return [purchase(stack, client, sim, chance)
                for _ in range(PURCHASES // CLIENTS)]

    results = [one for part in parallel(CLIENTS, one_client) for one in part]
    assert len(results) == PURCHASES // CLIENTS * CLIENTS
    forget_faults(sim)
    for bought, codes in results:
        sold = Client(stack, stack.key).get("/v2/shipments/" + bought).json()
        assert codes == {sold["tracking_code"]}, (bought, codes)
        assert Counter(fee["type"] for fee in sold["fees"])["PostageFee"] == 1
        assert db.row("shipments", bought)["tracking_code"] in codes


def purchase(stack, client, sim, chance):
    """One shipment bought by all means: its id, and the codes that its buyers
    were told in the end."""
    path, body, _ = buy_a_shipment(client)
    key = keyed() if chance.random() < 0.7 else {}
    for kind in chance.choices(FAULTS, k=2):
        if kind:
            sim.fault(f"POST {path}", kind, seconds=0.3)
    if chance.random() < 0.3:
        sim.fault(f"GET {path.rsplit('/', 1)[0]}", chance.choice(
            ["status", "close_before", "truncate"]), times=1)

    def insist(_):
        """As a client that does not give up: its last answer."""
        own = Client(stack, stack.key)

        def ask():
            got = own.post(path, document=body, headers=key)
            if got.status_code == 422:  # bought, and asked without a key
                got = own.get(path.rsplit("/", 1)[0])
            try:
                return got.status_code == 200 and got.json()["tracking_code"]
            except (ValueError, KeyError):
                return None

        return wait_until(ask, 30, "the label")

    buyers = 2 if chance.random() < 0.4 else 1
    return path.split("/")[3], set(parallel(buyers, insist))
