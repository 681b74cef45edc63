"""A key's daily limit: what it buys fits, and is counted once, whoever dies."""

import os
import signal
import threading
from decimal import Decimal

import pytest

from env.process import Failed
from env.stack import Stack
from fixtures import simulator
from helpers import (Client, Database, assert_error, compact, parallel, unique,
                     wait_recorded, wait_until, workers)
from test_bulk import bulk, drafts, priority
from test_bulk_jobs import ended, items_of
from test_metrics import scrape
from test_simple import FROM, PARCEL, TO, a_draft, cheapest, data_of, keyed

LABEL = Decimal("0.01")  # the simulator's fee for a label


@pytest.fixture(scope="module")
def own(tmp_path_factory):
    with Stack(tmp_path_factory.mktemp("budget"), conf={
            "WORKERS": "8", "WORKERS_OVERFLOW": "0"}) as one:
        yield one


@pytest.fixture(scope="module")
def sim(own):
    return simulator(own)


@pytest.fixture(scope="module")
def free(own):
    """A client whose key has no limit."""
    return Client(own, own.key, timeout=60)


@pytest.fixture
def look(own):
    found = Database(own.database_url, own)
    yield found
    found.close()


@pytest.fixture(autouse=True)
def calm(sim):
    yield
    sim.session.delete(sim.base + "/_sim/fault", timeout=10)


class Limited(Client):
    """With a key of its own that may spend so much a day."""

    def __init__(self, own, limit):
        self.name = unique("limited-")
        super().__init__(own, own.service.make_key(
            self.name, "test", scopes="read,write", spending_limit=limit),
            timeout=60)


def spent(look, client):
    """What counts today, and how much of it is not settled."""
    rows = look("select coalesce(sum(amount), 0), coalesce(sum(amount) filter "
                "(where settled_at is null), 0) from spendings s join api_keys k "
                "on k.id = key_id where name = %s and day = current_date",
                client.name)
    return rows[0]


def made(client):
    answer = client.post("/v2/shipments", document={"shipment": a_draft()})
    assert answer.status_code == 201, answer.text
    return answer.json()


def price(rate):
    return Decimal(rate["rate"])


def too_much(answer, limit, before, wanted, *, easypost):
    error = assert_error(answer, 402, "KEY.SPENDING_LIMITED", easypost=easypost)
    told = {one["field"]: one["message"] for one in error["errors"]}
    assert told == {"limit": f"{limit:.2f}", "spent_today": f"{before:.2f}",
                    "price": str(wanted)}
    return error


def by_proxy(client, shipment, rate):
    return client.post(f"/v2/shipments/{shipment['id']}/buy",
                       document={"rate": {"id": rate["id"]}})


def by_id(client, shipment, rate):
    return client.post(f"/shipments/{shipment['id']}/buy",
                       document={"rate": rate["id"]})


def by_wish(client, shipment, rate):
    return client.post(f"/shipments/{shipment['id']}/buy", document={
        "rate": {"carrier": rate["carrier"], "service": rate["service"]}})


WAYS = [by_proxy, by_id, by_wish]


def buys(sim, shipment):
    return [call for call in sim.calls(f"/v2/shipments/{shipment['id']}/buy")
            if call["method"] == "POST"]


# --- what fits and what does not --------------------------------------------------------


@pytest.mark.parametrize("buy", WAYS)
def test_what_fits_is_bought_and_counted(own, free, sim, look, buy):
    shipment = made(free)
    rate = cheapest(shipment)
    client = Limited(own, price(rate) + LABEL)
    assert spent(look, client) == (0, 0)
    assert buy(client, shipment, rate).status_code == 200
    # Settled to what it cost, with a fee that nobody told before.
    assert spent(look, client) == (price(rate) + LABEL, 0)
    other = made(free)
    too_much(buy(client, other, cheapest(other)), price(rate) + LABEL,
             price(rate) + LABEL, cheapest(other)["rate"],
             easypost=buy is by_proxy)
    assert (len(buys(sim, shipment)), len(buys(sim, other))) == (1, 0)
    assert spent(look, client) == (price(rate) + LABEL, 0)


@pytest.mark.parametrize("buy", WAYS)
def test_one_cent_too_little(own, free, sim, look, buy):
    shipment = made(free)
    rate = cheapest(shipment)
    client = Limited(own, price(rate) - Decimal("0.01"))
    too_much(buy(client, shipment, rate), price(rate) - Decimal("0.01"), 0,
             rate["rate"], easypost=buy is by_proxy)
    assert buys(sim, shipment) == [] and spent(look, client) == (0, 0)
    assert look("select 1 from idempotency_claims where idempotency_key = %s",
                "buy " + shipment["id"]) == []
    own.waybill("key", "limit", client.session.headers["Authorization"]
                .split()[1][:11], "--spending-limit", rate["rate"])
    wait_until(lambda: buy(client, shipment, rate).status_code == 200, 1.5,
               "the new limit")


def test_nothing_may_be_spent_and_what_is_free_may_be_done(own, sim):
    client = Limited(own, 0)
    shipment = made(client)
    too_much(by_id(client, shipment, cheapest(shipment)), 0, 0,
             cheapest(shipment)["rate"], easypost=False)
    assert data_of(client.post("/rates", document=a_draft()))["rates"]
    assert data_of(client.post("/shipments", document=a_draft()), 201)
    assert client.post("/v2/addresses",
                       document={"address": TO}).status_code == 201
    assert client.post("/v2/refunds", document={"refund": {
        "carrier": "USPS", "tracking_codes": ["9400100000000000000000"]}}
    ).status_code not in (402, 403)
    assert buys(sim, shipment) == []


def test_a_key_without_a_limit_pays_nothing_for_it(free, sim, look):
    """No question more, and no row."""
    before = look("select count(*) from spendings")
    shipment = made(free)
    for buy in (by_proxy, by_id):
        buy(free, shipment, cheapest(shipment))
    assert [call for call in sim.calls(f"/v2/shipments/{shipment['id']}")
            if call["method"] == "GET"] == []
    assert look("select count(*) from spendings") == before


@pytest.mark.parametrize("key", [True, False])
def test_create_and_buy(own, sim, look, key):
    client = Limited(own, 1000)
    draft, headers = a_draft(rate="cheapest"), keyed() if key else {}
    bought = data_of(client.post("/shipments/buy", document=draft,
                                 headers=headers), 201)
    cost = price(bought["selected_rate"]) + LABEL
    assert spent(look, client) == (cost, 0)
    if key:  # told again, not bought again
        again = client.post("/shipments/buy", document=draft, headers=headers)
        assert again.headers["Idempotent-Replayed"] == "true"
        assert spent(look, client) == (cost, 0)
    poor = Limited(own, "0.50")
    answer = poor.post("/shipments/buy", document=a_draft(rate="cheapest"),
                       headers=headers and keyed())
    error = too_much(answer, Decimal("0.50"), 0,
                     bought["selected_rate"]["rate"], easypost=False)
    place = answer.headers["Location"]
    assert place.startswith("/shipments/shp_")
    assert place.rpartition("/")[2] in error["message"]
    assert buys(sim, {"id": place.rpartition("/")[2]}) == []
    assert spent(look, poor) == (0, 0)


def test_a_refused_key_may_be_used_again(own, free):
    """Of a purchase that did not fit nothing is kept."""
    shipment, headers = made(free), keyed()
    client = Limited(own, "0.10")
    path = f"/v2/shipments/{shipment['id']}/buy"
    body = {"rate": {"id": cheapest(shipment)["id"]}}
    for _ in range(2):
        assert_error(client.post(path, document=body, headers=headers), 402)
    prefix = client.session.headers["Authorization"].split()[1][:11]
    own.waybill("key", "limit", prefix, "--spending-limit", "none")
    wait_until(lambda: client.post(path, document=body, headers=headers)
               .status_code == 200, 1.5, "no limit")


def test_two_do_not_both_fit_into_what_is_left_for_one(own, free, sim, look):
    shipments = [made(free) for _ in range(8)]
    rate = cheapest(shipments[0])
    client = Limited(own, price(rate) * 3)
    key = client.session.headers["Authorization"].split()[1]
    sim.fault("POST /v2/shipments/*/buy", "late", times=0, seconds=0.5)
    answers = parallel(8, lambda number: WAYS[number % 3](
        Client(own, key), shipments[number], cheapest(shipments[number])))
    codes = sorted(answer.status_code for answer in answers)
    assert codes == [200] * 3 + [402] * 5
    assert sum(len(buys(sim, one)) for one in shipments) == 3
    assert spent(look, client) == ((price(rate) + LABEL) * 3, 0)


def test_who_reserves_waits_for_the_one_before(own, look):
    """Until that is committed; then there is less left."""
    client, others = Limited(own, 100), []
    found = look("select id from api_keys where name = %s", client.name)[0][0]

    def reserve(database, thing):
        return database("select is_reserved, spent from api.reserve_spending("
                        "gen_random_uuid(), %s, %s, 60, 0, 'USD')", found, thing)

    other = Database(own.database_url)
    pid = other("select pg_backend_pid()")[0][0]
    look("begin")
    assert reserve(look, unique()) == [(True, "0.00")]
    thread = threading.Thread(
        target=lambda: others.extend(reserve(other, unique())))
    thread.start()
    try:
        watch = Database(own.database_url)
        wait_until(lambda: others or watch(
            "select 1 where pg_blocking_pids(%s) <> '{}'", pid), 10, "the other")
        watch.close()
    finally:
        look("commit")
        thread.join(20)
    assert others == [(False, "60.00")]
    other.close()


def test_each_currency_by_itself(own, free, sim, look):
    shipment = made(free)
    client = Limited(own, 5)
    path = f"/v2/shipments/{shipment['id']}"
    rates = [dict(shipment["rates"][0], id=f"rate_{unique()}", rate=amount,
                  currency=currency)
             for amount, currency in (("4.00", "USD"), ("4.50", "CAD"),
                                      ("1.01", "USD"))]
    sim.canned("GET", path, dict(shipment, rates=rates))
    for rate, fee in zip(rates[:2], ("4.00", "4.50")):
        sim.canned("POST", path + "/buy", dict(shipment, fees=[
            {"type": "PostageFee", "amount": fee}]), times=1)
        assert by_proxy(client, shipment, rate).status_code == 200
    too_much(by_proxy(client, shipment, rates[2]), 5, 4, "1.01", easypost=True)
    assert look("select currency, amount from spendings s join api_keys k on "
                "k.id = key_id where name = %s order by 1", client.name) == [
                    ("CAD", Decimal("4.50")), ("USD", Decimal("4.00"))]
    line = next(one for one in own.waybill("key", "list").splitlines()
                if client.name in one)
    assert "4.50 CAD, 4.00 USD" in line


def test_the_next_day_is_another(own, free, look):
    """In UTC, wherever the server is."""
    shipment = made(free)
    rate = cheapest(shipment)
    client = Limited(own, price(rate))
    assert by_id(client, shipment, rate).status_code == 200
    other = made(free)
    assert_error(by_id(client, other, cheapest(other)), 402)
    look("update spendings set day = day - 1 where key_id = "
         "(select id from api_keys where name = %s)", client.name)
    assert by_id(client, other, cheapest(other)).status_code == 200
    client = Limited(own, 1)
    for zone in ("Pacific/Kiritimati", "Etc/GMT+12"):
        look(f"set timezone = '{zone}'")
        look("select api.reserve_spending(gen_random_uuid(), (select id from "
             "api_keys where name = %s), %s, 0, null, 'USD')", client.name,
             f"test {zone}")
        assert look("select day = (now() at time zone 'UTC')::date from "
                    "spendings where thing = %s", f"test {zone}") == [(True,)]
    look("set timezone = 'UTC'")


def test_a_refund_gives_nothing_back_today(own, free, look):
    shipment = made(free)
    client = Limited(own, 1000)
    assert by_id(client, shipment, cheapest(shipment)).status_code == 200
    before = spent(look, client)
    assert client.post(f"/shipments/{shipment['id']}/refund").status_code == 200
    assert client.post(f"/v2/shipments/{shipment['id']}/refund", document={}
                       ).status_code not in (402, 403)
    assert spent(look, client) == before


def test_refusals_are_counted(own, free):
    def count():
        return scrape(own).value("limited_requests_total", pool="upstream",
                                 limit="spending")

    before, shipment = count(), made(free)
    client = Limited(own, "0.01")
    for buy in WAYS:
        assert_error(buy(client, shipment, cheapest(shipment)), 402)
    wait_until(lambda: count() == before + 3, 5, "the counter")


# --- other things than labels ---------------------------------------------------------------


def test_insurance(own, free, sim, look):
    """The whole sum is reserved, for what insuring costs is told afterwards."""
    shipment = made(free)
    assert by_id(free, shipment, cheapest(shipment)).status_code == 200
    client = Limited(own, 150)
    path = f"/v2/shipments/{shipment['id']}/insure"
    too_much(client.post(path, document={"amount": "150.01"}), 150, 0,
             "0 and 150.01 insured", easypost=True)
    assert client.post(path, document={"amount": "150.00"}).status_code == 200
    assert spent(look, client) == (Decimal("0.75"), 0)
    insurance = {"insurance": {
        "to_address": TO, "from_address": FROM, "amount": 149,
        "tracking_code": "EZ2000000002", "carrier": "USPS"}}
    assert client.post("/v2/insurances", document=insurance).status_code == 201
    assert spent(look, client) == (Decimal("0.75") + Decimal("0.745"), 0)
    assert_error(client.post("/v2/insurances", document=insurance), 402)
    sim.fault("POST /v2/insurances", "status", status=422)
    insurance["insurance"]["amount"] = "100"
    assert client.post("/v2/insurances", document=insurance).status_code == 422
    assert spent(look, client) == (Decimal("1.495"), 0)
    sim.fault("POST /v2/insurances", "reset_before")
    assert client.post("/v2/insurances", document=insurance,
                       headers=keyed()).status_code == 502
    assert spent(look, client) == (Decimal("101.495"), 100)  # nobody knows


@pytest.mark.parametrize("path", ["/v2/shipments/{}/buy", "/shipments/{}/buy"])
@pytest.mark.parametrize("where", ["purchase", "shipment"])
def test_a_label_with_insurance(own, free, look, path, where):
    answer = free.post("/v2/shipments", document={"shipment": a_draft() | (
        {"insurance": "100.00"} if where == "shipment" else {})})
    shipment = answer.json()
    if where == "shipment" and shipment["insurance"] is None:
        shipment["insurance"] = "100.00"
        simulator(own).canned("GET", "/v2/shipments/" + shipment["id"],
                              shipment)
    rate = cheapest(shipment)
    client = Limited(own, 100)
    body = {"rate": rate["id"] if path[1] == "s" else {"id": rate["id"]}}
    if where == "purchase":
        body["insurance"] = "100.00"
    too_much(client.post(path.format(shipment["id"]), document=body), 100, 0,
             f"{rate['rate']} and 100.00 insured", easypost=path[1] == "v")
    rich = Limited(own, 200)
    assert rich.post(path.format(shipment["id"]),
                     document=body).status_code == 200
    fee = Decimal("0.50") if where == "purchase" else 0
    assert spent(look, rich)[0] == price(rate) + LABEL + fee


def test_orders_and_pickups(own, free, look):
    order = free.post("/v2/orders", document={"order": {
        "to_address": TO, "from_address": FROM,
        "shipments": [{"parcel": PARCEL}, {"parcel": PARCEL}]}}).json()
    rate = order["rates"][0]
    wish = {"carrier": rate["carrier"], "service": rate["service"]}
    poor, client = Limited(own, "1.00"), Limited(own, 1000)
    too_much(poor.post(f"/v2/orders/{order['id']}/buy", document=wish), 1, 0,
             rate["rate"], easypost=True)
    assert_error(client.post(f"/v2/orders/{order['id']}/buy", document={
        "carrier": rate["carrier"]}), 403, "KEY.PRICE_UNKNOWN", easypost=True)
    bought = client.post(f"/v2/orders/{order['id']}/buy", document=wish)
    assert bought.status_code == 200
    assert spent(look, client)[1] == 0
    assert price(rate) <= spent(look, client)[0] <= price(rate) + 2 * LABEL
    pickup = free.post("/v2/pickups", document={"pickup": {
        "address": FROM, "shipment": {"id": bought.json()["shipments"][0]["id"]},
        "min_datetime": "2030-01-02T10:00:00Z",
        "max_datetime": "2030-01-02T12:00:00Z"}}).json()
    rate = pickup["pickup_rates"][-1]
    before = spent(look, client)[0]
    assert client.post(f"/v2/pickups/{pickup['id']}/buy", document={
        "carrier": rate["carrier"], "service": rate["service"]}
    ).status_code == 200
    assert spent(look, client) == (before + price(rate), 0)


# --- what has no price before ----------------------------------------------------------------


def test_what_has_no_price_before_is_refused(own, free, sim, look):
    client = Limited(own, 1000)
    at_once = priority(free)
    shipment = made(free)
    batch = free.post("/v2/batches", document={"batch": {"shipments": [
        {"id": shipment["id"]}]}}).json()
    for path, body in (
            ("/v2/shipments", {"shipment": a_draft(**at_once)}),
            ("/v2/shipments", {**at_once, "shipment": a_draft()}),
            ("/v2/orders", {"order": {"service": "Priority"}}),
            ("/v2/orders", {"order": {"shipments": [{"service": "x"}]}}),
            ("/v2/batches/create_and_buy", {"batch": {}}),
            (f"/v2/batches/{batch['id']}/buy", {}),
            (f"/v2/shipments/{shipment['id']}/luma", {"ruleset_name": "x"}),
            ("/v2/shipments/luma", {"shipment": a_draft()}),
            (f"/v2/shipments/{shipment['id']}/buy.json",
             {"rate": {"id": cheapest(shipment)["id"]}}),
            ("/v2/trackers", {"tracker": {"tracking_code": "EZ1000000001"}}),
            ("/v2/credit_cards/1/charges", {"amount": "2000"}),
            ("/v2/new_things", {})):
        before = len(sim.calls(path))
        error = assert_error(client.post(path, document=body), 403,
                             "KEY.PRICE_UNKNOWN", easypost=True)
        assert "only afterwards" in error["message"], path
        assert len(sim.calls(path)) == before, path
    error = assert_error(client.post("/shipments",
                                     document=a_draft(**at_once)), 403,
                         "KEY.PRICE_UNKNOWN", easypost=False)
    assert error["errors"][0]["field"] == "service"
    assert spent(look, client) == (0, 0)


def test_a_body_that_can_be_read_in_two_ways_is_refused(own, free, sim):
    """EasyPost takes forms, queries and compressed bodies, too."""
    client, shipment = Limited(own, 1000), made(free)
    path = f"/v2/shipments/{shipment['id']}/buy"
    good = compact({"rate": {"id": cheapest(shipment)["id"]}})
    json_type = {"Content-Type": "application/json"}
    for data, query, headers in (
            (good, "?insurance=1000", json_type),
            (good, "", {"Content-Type": "application/x-www-form-urlencoded"}),
            (good, "", {"Content-Type": "application/jsonx"}),
            (good, "", {}),
            (good, "", {**json_type, "Content-Encoding": "gzip"}),
            (b"rate[id]=" + cheapest(shipment)["id"].encode(), "", json_type),
            (b'{"rate":{"id":"x"},' + good[1:], "", json_type),
            (b'{"rate":{"id":"rate_nothing"}}', "", json_type),
            (b'{"insurance":-5,' + good[1:], "", json_type),
            (b'{"insurance":1e12,' + good[1:], "", json_type),
            (b"", "", json_type), (b"[]", "", json_type)):
        answer = client.post(path + query, data=data, headers=headers)
        assert_error(answer, 403, "KEY.PRICE_UNKNOWN", easypost=True)
    assert buys(sim, shipment) == []
    answer = client.post(path, data=good, headers={
        "Content-Type": "application/json; charset=utf-8"})
    assert answer.status_code == 200


def test_following_a_parcel(own, free):
    """What is recorded is told; EasyPost is not asked, for it would cost."""
    client, path = Limited(own, 1000), "/tracking/EZ4000000004"
    assert_error(client.get(path), 403, "KEY.PRICE_UNKNOWN", easypost=False)
    assert data_of(free.get(path))["source"] == "easypost"
    wait_recorded(own)
    assert data_of(client.get(path))["source"] == "database"


def test_bulk_calls(own, free, sim):
    client, at_once = Limited(own, 1000), priority(free)
    before = len(sim.calls("/v2/shipments"))
    for shipments in ([a_draft(), a_draft(**at_once)],
                      drafts(100) + drafts(1, **at_once)):
        for more in ({}, {"dry_run": True}):
            error = assert_error(bulk(client, shipments, **more), 403,
                                 "KEY.PRICE_UNKNOWN", easypost=False)
            assert error["errors"][0]["field"] \
                == f"shipments[{len(shipments) - 1}].service"
    assert len(sim.calls("/v2/shipments")) == before
    results = data_of(bulk(client, drafts(2)))["results"]
    assert [one["status"] for one in results] == ["success"] * 2


def test_a_limit_that_comes_while_a_bulk_call_is_worked_off(own, free, sim, look):
    """What has not been sent, and would buy, is not; the others are."""
    name = unique("bulk-")
    client = Client(own, own.service.make_key(name, "test"), timeout=60)
    sim.fault("POST /v2/shipments", "late", times=0, seconds=0.3)
    shipments = drafts(90, **priority(free)) + drafts(20)
    place = bulk(client, shipments).headers["Location"]
    wait_until(lambda: look("select 1 from bulk_items where batch_id = %s and "
                            "state = 'success' limit 1",
                            place.rpartition("/")[2]), 30, "the first")
    look("update api_keys set daily_spending_limit = 1000 where name = %s", name)
    ended(free, place)
    items = items_of(free, place)
    bought, others = items[:90], items[90:]
    assert {one["status"] for one in others} == {"success"}
    kept = [one for one in bought if one["status"] == "not_sent"]
    assert 20 < len(kept) < 90
    assert {one["error"]["code"] for one in kept} == {"KEY.PRICE_UNKNOWN"}


# --- nothing is known --------------------------------------------------------------------------


@pytest.mark.parametrize("buy", [by_proxy, by_id])
def test_what_easypost_refuses_is_given_back(own, free, sim, look, buy):
    client, shipment = Limited(own, 1000), made(free)
    sim.fault(f"POST /v2/shipments/{shipment['id']}/buy", "status", status=422)
    assert buy(client, shipment, cheapest(shipment)).status_code == 422
    assert spent(look, client) == (0, 0)
    assert look("select 1 from spendings where thing = %s",
                "buy " + shipment["id"]) == []


@pytest.mark.parametrize("buy", [by_proxy, by_id])
def test_what_nobody_knows_counts_until_somebody_does(own, free, sim, look, buy):
    shipment = made(free)
    rate, path = cheapest(shipment), f"/v2/shipments/{shipment['id']}"
    client = Limited(own, price(rate))
    sim.fault(f"POST {path}/buy", "reset_before")
    assert buy(client, shipment, rate).status_code == 502
    assert spent(look, client) == (price(rate), price(rate))
    # EasyPost shows that it was not done: counted once, not twice.
    sim.fault(f"POST {path}/buy", "reset_before")
    assert buy(client, shipment, rate).status_code == 502
    assert spent(look, client) == (price(rate), price(rate))
    # Refused now; the first may still come.
    sim.fault(f"POST {path}/buy", "status", status=422)
    assert buy(client, shipment, rate).status_code == 422
    assert spent(look, client) == (price(rate), price(rate))
    assert buy(client, shipment, rate).status_code == 200
    assert spent(look, client) == (price(rate) + LABEL, 0)


@pytest.mark.parametrize("buy", [by_proxy, by_id])
def test_what_was_bought_all_the_same_is_settled(own, free, sim, look, buy):
    client, shipment = Limited(own, 1000), made(free)
    rate, path = cheapest(shipment), f"/v2/shipments/{shipment['id']}"
    sim.fault(f"POST {path}/buy", "reset_after")
    assert buy(client, shipment, rate).status_code == 200
    assert spent(look, client) == (price(rate) + LABEL, 0)
    assert len(buys(sim, shipment)) == 1


@pytest.mark.parametrize("buy", [by_proxy, by_id, None])
def test_a_worker_dies_during_the_purchase(own, free, sim, look, buy):
    """The price was noted before; the next attempt finds out what it cost."""
    client = Limited(own, 1000)
    headers, draft = keyed(), a_draft(rate="cheapest")
    shipment = made(free)

    def ask():
        if buy is None:
            return client.post("/shipments/buy", document=draft,
                               headers=headers)
        return buy(client, shipment, cheapest(shipment))

    sim.fault("POST /v2/shipments/*/buy", "late", seconds=5)
    answers = []
    thread = threading.Thread(target=lambda: answers.append(ask()))
    before = len(sim.calls("/buy"))
    thread.start()
    wait_until(lambda: len(sim.calls("/buy")) > before, 10, "the purchase")
    reserved = spent(look, client)
    assert reserved[0] == reserved[1] == price(cheapest(shipment))
    for pid in workers(own, "upstream"):
        os.kill(pid, signal.SIGKILL)
    thread.join(20)
    assert answers[0].status_code == 502
    assert spent(look, client) == reserved
    look("update idempotency_claims set created_at = now() - interval '61 s' "
         "where idempotency_key in (%s, %s)", headers["Idempotency-Key"],
         "buy " + shipment["id"])
    wait_until(lambda: free.get("/v2/shipments/" + shipment["id"])
               .status_code == 200, 10, "new workers")
    assert ask().status_code in (200, 201)
    assert spent(look, client) == (reserved[0] + LABEL, 0)
    assert len(sim.calls("/buy")) == before + 1


@pytest.mark.parametrize("buy", WAYS)
def test_without_easyposts_word_nothing_is_bought(own, free, sim, look, buy):
    client, shipment = Limited(own, 1000), made(free)
    sim.fault(f"GET /v2/shipments/{shipment['id']}", "status", status=503)
    answer = buy(client, shipment, cheapest(shipment))
    if buy is by_proxy:
        assert_error(answer, 502, "UPSTREAM.UNREACHABLE", easypost=True)
    else:
        assert answer.status_code == 503, answer.text
    assert buys(sim, shipment) == [] and spent(look, client) == (0, 0)
    assert buy(client, shipment, cheapest(shipment)).status_code == 200
    nowhere = {"id": "shp_" + "0" * 32}
    assert buy(client, nowhere, cheapest(shipment)).status_code == 404


def test_without_the_database_nothing_is_bought(own, free, sim):
    client = Limited(own, 1000)
    shipments = [made(client) for _ in range(2)]
    for _ in range(5):  # each worker has asked for the key
        parallel(8, lambda _: Client(own, client.session.headers[
            "Authorization"].split()[1]).get("/v2/addresses?page_size=1"))
    own.postgres.crash()
    try:
        for buy, shipment in zip((by_proxy, by_id), shipments):
            answer = buy(client, shipment, cheapest(shipment))
            assert_error(answer, 503, "DATABASE.UNAVAILABLE",
                         easypost=buy is by_proxy)
            assert buys(sim, shipment) == []
    finally:
        own.postgres.start()
    wait_until(lambda: by_id(client, shipments[0], cheapest(shipments[0]))
               .status_code == 200, 30, "the database")


# --- how it is set -------------------------------------------------------------------------------


def test_the_list_shows_limit_and_what_was_spent(own, free, look):
    client, shipment = Limited(own, "99.50"), made(free)

    def line():
        return next(one for one in own.waybill("key", "list").splitlines()
                    if client.name in one)

    assert "99.50" in line() and "USD" not in line()
    assert by_id(client, shipment, cheapest(shipment)).status_code == 200
    assert f"  {price(cheapest(shipment)) + LABEL} USD " in line()


@pytest.mark.parametrize("amount", ["-1", "x", "1e10", "NaN", "Infinity",
                                    "1,50", ""])
def test_limits_that_are_none(own, look, amount):
    name = unique("never-")
    with pytest.raises(Failed) as failed:
        own.waybill("key", "create", "--name", name, "--mode", "test",
                    "--scopes", "read", "--spending-limit", amount)
    assert "status 1" in str(failed.value)
    assert "--spending-limit" in str(failed.value)
    assert look("select 1 from api_keys where name = %s", name) == []
