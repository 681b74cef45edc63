"""What carriers bill later is in the true cost: in any order, however often it is
told, and only when it is known whose it is and how much."""

import itertools
from decimal import Decimal

import pytest

import documents
from env.stack import Stack
from fixtures import simulator
from helpers import (Client, Database, deliver, unique, wait_recorded,
                     wait_until)
from test_figures import assert_right, costs, refreshed
from test_simple import FROM, PARCEL, TO, cheapest

CREATED, UPDATED = "shipment.invoice.created", "shipment.invoice.updated"


@pytest.fixture(scope="module")
def own(tmp_path_factory):
    with Stack(tmp_path_factory.mktemp("invoices"), conf={
            "WORKERS": "6", "WORKERS_OVERFLOW": "0"}) as one:
        one.sim_control = simulator(one)
        yield one


@pytest.fixture
def own_db(own):
    found = Database(own.database_url)
    yield found
    assert_right(found)
    found.close()


@pytest.fixture
def tell(own):
    """Delivers events, in the order in which they are given."""
    nobody = Client(own)

    def tell(*events):
        for event in events:
            assert deliver(nobody, event).status_code == 200
            wait_recorded(own)

    return tell


def bought(**fields):
    document = documents.shipment(bought=True, **fields)
    return document, documents.event("shipment.purchased", document)


def invoice(shipment, amount="1.60000", **fields):
    return documents.invoice(shipment["id"], shipment["tracking_code"],
                             amount) | fields


def created(bill, minute=10):
    return documents.event(CREATED, bill, minute)


def updated(bill, minute=20, **fields):
    return documents.event(UPDATED, bill | fields, minute)


def billed(db, shipment):
    """What a shipment was adjusted by, in how many invoices, and its true cost."""
    return db.one("select adjustment::text, adjustment_count, total_cost "
                  "from shipments where easypost_id = %s", shipment["id"])


def whole(db, shipment):
    return db.one("select to_jsonb(s)::text from (select adjustment, "
                  "adjustment_count, total_cost, ready::jsonb ->> 'total_cost' "
                  "from shipments where easypost_id = %s) s", shipment["id"])


# --- order ------------------------------------------------------------------------


def test_every_order_ends_with_the_same_cost(tell, own_db):
    """Before and after its shipment and its refund, and each again."""
    ends = set()
    for order in itertools.permutations(range(4)):
        shipment, event = bought()
        bill = invoice(shipment)
        events = [event, created(bill), updated(bill, adjustment_amount="2"),
                  documents.event("refund.successful", documents.refund(
                      shipment["id"], shipment["tracking_code"],
                      status="refunded", updated_at=documents.at(30)))]
        tell(*(events[n] for n in order), events[order[0]], created(bill))
        assert billed(own_db, shipment) == ("2.00", 1, 2)
        ends.add(whole(own_db, shipment))
    assert len(ends) == 1


def test_an_update_comes_after_what_it_updates(tell, own_db):
    """Also in the same second, when nothing else says which is the later one."""
    for order in ((0, 1), (1, 0)):
        for amounts in (("1.00", "9.00"), ("9.00", "1.00")):
            shipment, event = bought()
            bill = invoice(shipment, amounts[0])
            events = [created(bill, 10),
                      updated(bill, 10, adjustment_amount=amounts[1])]
            tell(event, *(events[n] for n in order))
            assert billed(own_db, shipment)[0] == amounts[1]


def test_a_time_of_its_own_counts_more_than_its_event(tell, own_db):
    shipment, event = bought()
    bill = invoice(shipment, "1.00", updated_at=documents.at(50))
    tell(event, created(bill, 10),
         updated(bill, 60, updated_at=documents.at(40), adjustment_amount="2"))
    assert billed(own_db, shipment)[0] == "1.00"


def test_what_changes_nothing_is_not_written(tell, own_db):
    shipment, event = bought()
    bill = invoice(shipment)
    tell(event, created(bill))
    version = "select xmin::text from shipments where easypost_id = %s"
    before = own_db.one(version, shipment["id"])
    tell(created(bill, 11), updated(bill),
         updated(bill, 30, status="disputed"))
    assert own_db.one(version, shipment["id"]) == before
    assert own_db.row("shipment_invoices", bill["id"])["status"] == "disputed"


def test_several_invoices_are_a_sum_while_all_are_known(tell, own_db):
    shipment, event = bought()
    first, second = invoice(shipment), invoice(shipment, "0.4")
    tell(created(first), event, created(second))
    assert billed(own_db, shipment) == ("2.00", 2, Decimal("8.07"))
    tell(updated(second, invoice_currency="EUR"))
    assert billed(own_db, shipment) == (None, 2, None)
    tell(updated(second, 30))
    assert billed(own_db, shipment) == ("2.00", 2, Decimal("8.07"))


# --- amounts ----------------------------------------------------------------------


NOT_PAID = {"adjustment_amount": None, "initially_paid_amount": None}
CASES = {
    "more": ({}, "1.60", "7.67"),
    "a number": ({"adjustment_amount": 1.6}, "1.60", "7.67"),
    "nothing": ({"adjustment_amount": "0.00000"}, "0.00", "6.07"),
    "three decimals": ({"adjustment_amount": "0.00500"}, "0.005", "6.075"),
    "given back": ({"adjustment_amount": "-2.50000"}, "-2.50", "3.57"),
    "more than was taken": ({"adjustment_amount": "-7"}, "-7.00", None),
    "by the invoice alone": ({"adjustment_amount": None}, "1.60", "7.67"),
    "billed afterwards": ({**NOT_PAID, "invoice_amount": "6.50000"}, "0.43",
                          "6.50"),
    "afterwards, as quoted": ({**NOT_PAID, "initially_paid_amount": "0.00000",
                               "invoice_amount": "6.07"}, "0.00", "6.07"),
    "afterwards, not quoted": ({**NOT_PAID, "quoted_amount": None}, None, None),
    "not told": ({"adjustment_amount": None, "invoice_amount": None}, None,
                 None),
    "not readable": ({"adjustment_amount": "NaN"}, None, None),
    "of a wrong type": ({"adjustment_amount": {"a": [1]}}, None, None),
    "another currency": ({"invoice_currency": "EUR"}, None, None),
    "no currency": ({"invoice_currency": None}, None, None),
    "odd": ({"status": 7, "carrier": ["x"], "invoice_date": "yesterday",
             "mode": {}, "invoice_type": None, "adjustment_reason": True},
            "1.60", "7.67"),
}


@pytest.mark.parametrize("name", list(CASES))
def test_what_an_invoice_adds(tell, own_db, name):
    fields, adjustment, cost = CASES[name]
    shipment, event = bought()
    tell(event, created(invoice(shipment, **fields)))
    assert billed(own_db, shipment) == (adjustment, 1, cost and Decimal(cost))
    total, _, _, other, _, same = costs(own_db, shipment)
    assert (total, other) == (same, adjustment and Decimal(adjustment))


@pytest.mark.parametrize("fees", [[], None])
def test_it_is_added_to_the_rate_where_no_fee_is_told(tell, own_db, fees):
    shipment, event = bought(fees=fees)
    bill = invoice(shipment)
    tell(event, created(bill))
    assert billed(own_db, shipment) == ("1.60", 1, Decimal("7.67"))
    assert costs(own_db, shipment)[3] == Decimal("1.60")
    refund = documents.refund(shipment["id"], shipment["tracking_code"])
    for minute, status, cost in ((30, "refunded", "1.60"),
                                 (31, "rejected", "7.67")):
        tell(documents.event("refund.successful", dict(
            refund, status=status, updated_at=documents.at(minute))))
        assert billed(own_db, shipment)[2] == Decimal(cost)
    tell(updated(bill, adjustment_amount="x"))
    assert billed(own_db, shipment) == (None, 1, None)
    tell(updated(bill, 40, adjustment_amount="0.93"))
    assert billed(own_db, shipment) == ("0.93", 1, Decimal("7"))


def test_events_of_trackers_leave_it_as_it_is(tell, own_db):
    shipment, event = bought()
    tell(event, created(invoice(shipment)), documents.event(
        "tracker.updated", dict(
            shipment["tracker"], status="delivered",
            updated_at=documents.at(40), tracking_details=[
                documents.detail(1, "delivered", "Door")])))
    assert own_db.row("shipments", shipment["id"])["status"] == "delivered"
    assert billed(own_db, shipment) == ("1.60", 1, Decimal("7.67"))


@pytest.mark.parametrize("lacks", ["id", "object"])
def test_what_is_no_invoice_is_kept(tell, own_db, lacks):
    shipment, event = bought()
    bill = invoice(shipment)
    del bill[lacks]
    told = created(bill)
    tell(event, told)
    assert own_db.one("select state from webhook_events where easypost_id = %s",
                      told["id"]) == "kept"
    assert billed(own_db, shipment) == (None, 0, Decimal("6.07"))


# --- whose it is --------------------------------------------------------------------


def test_one_of_nobody_waits_and_disturbs_nothing(tell, own_db):
    bill = documents.invoice(documents.new_id("shp"), None)
    tell(created(bill), created(documents.invoice(None, None)))
    assert own_db.row("shipment_invoices", bill["id"])["amount"] == \
        Decimal("1.6")


def test_a_code_is_enough_where_one_shipment_has_it(tell, own_db):
    """And says nothing where two have it, whichever came first."""
    for order in itertools.permutations(range(3)):
        one, event = bought()
        other, same = bought(tracking_code=one["tracking_code"], tracker=None)
        foreign, foreign_event = bought(
            tracking_code=one["tracking_code"], tracker=None,
            mode="production")
        bill = invoice(one, shipment_id=None)
        tell(foreign_event, *([event, created(bill), same][n] for n in order))
        for shipment in (one, other, foreign):
            assert billed(own_db, shipment) == (None, 0, Decimal("6.07"))
        tell(documents.event("shipment.purchased", dict(
            other, tracking_code=unique("C"), updated_at=documents.at(30))))
        assert billed(own_db, one) == ("1.60", 1, Decimal("7.67"))
        assert billed(own_db, other)[1] == 0


def test_it_moves_when_an_update_names_another(tell, own_db):
    one, first = bought()
    other, second = bought()
    by_code = invoice(one, shipment_id=None)
    tell(first, second, created(by_code))
    assert billed(own_db, one)[:2] == ("1.60", 1)
    tell(updated(by_code, shipment_id=other["id"]))
    assert billed(own_db, one)[:2] == (None, 0)
    assert billed(own_db, other)[:2] == ("1.60", 1)
    tell(updated(by_code, 30, shipment_id=one["id"]))
    assert billed(own_db, one)[:2] == ("1.60", 1)
    assert billed(own_db, other)[:2] == (None, 0)


# --- who tells it -------------------------------------------------------------------


def test_reads_tell_it_beside_the_cost(own, own_db, tell):
    reader = Client(own, own.key)
    shipment, event = bought(reference=unique("billed-"))
    tell(event)
    path = "/db/shipments/" + shipment["id"]
    bill = created(invoice(shipment, "-0.5"))
    for adjustment, count, total in ((None, 0, "6.07000"),
                                     ("-0.50", 1, "5.57000")):
        told = reader.get(path).json()["data"]
        assert (told["adjustment"], told["adjustment_count"],
                told["total_cost"]) == (adjustment, count, total)
        listed = reader.get("/db/shipments?limit=1&q="
                            + shipment["reference"]).json()["data"]
        assert {name: listed["shipments"][0][name] for name in (
            "adjustment", "adjustment_count", "total_cost")} == {
                "adjustment": adjustment, "adjustment_count": count,
                "total_cost": total}
        tell(bill)
    lines = reader.get("/db/shipments?format=csv&q="
                       + shipment["reference"]).text.splitlines()
    row = dict(zip(lines[0].split(","), lines[1].split(",")))
    assert (row["adjustment"], row["adjustment_count"]) == ("-0.50", "1")


def test_the_figures_have_it_at_once(own, own_db, tell):
    carrier = unique("Billed")[:20]
    shipment, event = bought(carrier=carrier, mode="production")
    tell(event, created(invoice(shipment, mode="production")))
    for view, cost in (("mv_daily_shipment_analytics", "total_cost"),
                       ("mv_carrier_performance", "total_revenue"),
                       ("carrier_performance", "total_cost")):
        assert own_db.one(f"select {cost} from {view} where carrier = %s",
                          carrier) == Decimal("7.67"), view
    shown = Client(own, own.key).get(
        "/db/analytics/dashboard?days=30&mode=production").json()["data"]
    [mine] = [one for one in shown["carrier_performance"]
              if one["carrier"] == carrier]
    assert mine["costs"][0]["total_cost"] == "7.67"
    assert not any(refreshed(own_db, "2000-01-01").values())


def test_what_the_simulated_carrier_bills_arrives(own, own_db):
    client = Client(own, own.key)
    made = client.post("/v2/shipments", document={"shipment": {
        "to_address": TO, "from_address": FROM, "parcel": PARCEL}}).json()
    rate = cheapest(made)
    assert client.post(f"/v2/shipments/{made['id']}/buy", document={
        "rate": rate}).status_code == 200
    wait_recorded(own)
    before = billed(own_db, made)[2]
    bill = own.sim_control.bill(made["id"], "1.25")
    wait_until(lambda: billed(own_db, made) == ("1.25", 1,
                                                before + Decimal("1.25")), 30)
    own.sim_control.bill(bill["id"], "-1")
    wait_until(lambda: billed(own_db, made) == ("-1.00", 1, before - 1), 30)


# --- a rebuild, a migration -----------------------------------------------------------


def all_rows(db):
    return {name: db(f"select to_jsonb(t) - 'recorded_at' from {name} t "
                     "order by t.easypost_id")
            for name in ("shipments", "shipment_invoices")}


def test_a_rebuild_gives_the_same_rows(own, own_db):
    before = all_rows(own_db)
    own_db("delete from shipment_invoices where amount > 1")
    own_db("update shipments set adjustment = 9, total_cost = 1 "
           "where adjustment_count > 0")
    own.waybill("rebuild")
    assert all_rows(own_db) == before


def test_a_migration_down_takes_it_out_and_up_applies_what_was_kept(own, own_db):
    before = all_rows(own_db)
    right = own_db("select easypost_id, true_cost(base_cost, fees, "
                   "refund_status, null, 0) from shipments order by 1")
    while own_db.one("select count(*) from pg_class where relname = "
                     "'shipment_invoices'"):
        own.waybill("migrate", "down")
    assert own_db("select easypost_id, total_cost from shipments "
                  "order by 1") == right
    assert_right(own_db)
    own.waybill("migrate", "up")
    assert own_db.one("select count(*) from shipment_invoices") == 0
    waiting = ("select count(*) from jobs where kind = 'replay_event' "
               "and state = 'queued'")
    assert own_db.one(waiting) >= len(before["shipment_invoices"])
    own_db("update jobs set run_at = now() where state = 'queued'")
    wait_until(lambda: own_db.one(waiting) == 0, 30, "what was kept")
    assert all_rows(own_db) == before
