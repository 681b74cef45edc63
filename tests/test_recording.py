"""What passes is in the database: whole, once, newest, before the answer."""

import base64
import subprocess
from decimal import Decimal

import pytest

import documents
from helpers import (Client, compact, parallel, unique, wait_recorded,
                     wait_until)


class Through:
    """Sends a document of ours through the gateway as EasyPost's answer."""

    def __init__(self, client, sim):
        self.client = client
        self.sim = sim

    def __call__(self, document, *, method="POST", status=200, client=None):
        path = "/v2/" + unique("through_")
        body = compact(document)
        self.sim.canned(method, path, body, status=status)
        got = (client or self.client)(method, path)
        assert (got.status_code, got.content) == (status, body)
        return path


@pytest.fixture
def through(client, sim):
    return Through(client, sim)


def full_shipment(**fields):
    """With four addresses, customs, a history: everything there can be."""
    own = documents.shipment(
        bought=True, reference=unique("ref-"), price="6.07",
        customs_info=documents.customs_info(),
        return_address=documents.address(city="Reno", state="NV"),
        buyer_address=documents.address(city="Austin", state="TX"),
        insurance="100.00", **fields)
    own["tracker"].update(
        status="in_transit", signed_by="J. Tester",
        est_delivery_date=documents.at(days=2),
        tracking_details=[
            documents.detail(1, "pre_transit", "Label made"),
            documents.detail(90, "in_transit", "Arrived at facility")])
    return own


# --- the graph -----------------------------------------------------------------


def test_the_whole_graph_of_a_shipment(through, db):
    document = full_shipment()
    through(document, status=201)

    row = db.row("shipments", document["id"])
    assert row["mode"] == "test"
    assert row["reference"] == document["reference"]
    assert row["tracking_code"] == document["tracking_code"]
    assert (row["carrier"], row["service"]) == ("USPS", "GroundAdvantage")
    assert row["selected_rate_id"] is not None
    assert row["delivery_days"] == 3
    assert row["currency"] == "USD"
    assert row["base_cost"] == Decimal("6.07")
    assert row["total_cost"] == Decimal("6.07")
    assert isinstance(row["total_cost"], Decimal)
    assert row["weight"] == Decimal("15.4")
    assert row["signed_by"] == "J. Tester"
    assert row["status"] == "in_transit"
    assert row["deleted_at"] is None
    assert (row["created_at"].strftime("%Y-%m-%dT%H:%M:%SZ")
            == document["created_at"])
    assert (row["est_delivery_date"].strftime("%Y-%m-%dT%H:%M:%SZ")
            == document["tracker"]["est_delivery_date"])
    assert [one["id"] for one in row["rates_data"]] == [
        one["id"] for one in document["rates"]]

    for role in ("from", "to", "return", "buyer"):
        wanted = document[f"{role}_address"]
        stored = db.row("addresses", wanted["id"])
        assert stored["id"] == row[f"{role}_address_id"], role
        for field in ("name", "company", "street1", "street2", "city",
                      "state", "zip", "country", "phone", "email"):
            assert stored[field] == wanted[field], (role, field)

    parcel = db.row("parcels", document["parcel"]["id"])
    assert parcel["id"] == row["parcel_id"]
    for field in ("length", "width", "height", "weight"):
        assert parcel[field] == Decimal(str(document["parcel"][field]))

    customs = db.row("customs_infos", document["customs_info"]["id"])
    assert customs["id"] == row["customs_info_id"]
    for field in ("contents_type", "customs_certify", "customs_signer",
                  "non_delivery_option", "restriction_type", "eel_pfc"):
        assert customs[field] == document["customs_info"][field]
    assert (customs["customs_items"]
            == document["customs_info"]["customs_items"])

    tracker = db.row("trackers", document["tracker"]["id"])
    assert tracker["tracking_code"] == document["tracking_code"]
    assert tracker["status"] == "in_transit"

    events = db("select status, message, event_datetime at time zone 'UTC' "
                "from shipment_events where shipment_id = %s "
                "order by event_datetime", row["id"])
    assert [(status, message) for status, message, _ in events] == [
        ("pre_transit", "Label made"), ("in_transit", "Arrived at facility")]
    assert [one["message"] for one in row["tracking_details"]] == [
        "Label made", "Arrived at facility"]


def test_before_the_purchase_nothing_is_invented(through, db):
    document = documents.shipment()
    through(document)
    row = db.row("shipments", document["id"])
    for column in ("tracking_code", "selected_rate_id", "base_cost",
                   "total_cost", "carrier", "service", "signed_by",
                   "delivery_date", "est_delivery_date", "customs_info_id",
                   "batch_id"):
        assert row[column] is None, column


def test_keys_are_uuids_of_version_7_with_the_time_of_creation(through, db):
    document = full_shipment()
    through(document)
    row = db.row("shipments", document["id"])
    assert row["id"][14] == "7"
    milliseconds = int(row["id"].replace("-", "")[:12], 16)
    assert milliseconds // 1000 == int(row["created_at"].timestamp())


@pytest.mark.parametrize("kind", ["Address", "Parcel", "CustomsInfo",
                                  "Tracker"])
def test_objects_on_their_own(through, db, kind):
    make, table = {
        "Address": (documents.address, "addresses"),
        "Parcel": (documents.parcel, "parcels"),
        "CustomsInfo": (documents.customs_info, "customs_infos"),
        "Tracker": (documents.tracker, "trackers")}[kind]
    document = make()
    through(document, status=201)
    assert db.row(table, document["id"]) is not None


def test_rates_on_their_own(through, db):
    """A rerate: new rates for a known shipment."""
    document = documents.shipment()
    through(document)
    offers = [documents.rate(document["id"], "5.01"),
              documents.rate(document["id"], "7.77", service="Priority")]
    through({"rates": offers})
    stored = db("select easypost_id, rate, carrier, service from rates "
                "where easypost_id = any (%s) order by rate",
                [one["id"] for one in offers])
    assert stored == [
        (offers[0]["id"], Decimal("5.01"), "USPS", "GroundAdvantage"),
        (offers[1]["id"], Decimal("7.77"), "USPS", "Priority")]


def test_a_batch_and_its_state(through, db):
    shipments = [documents.shipment() for _ in range(2)]
    for one in shipments:
        through(one)
    document = documents.batch([one["id"] for one in shipments])
    through(document)
    later = dict(document, state="purchased", updated_at=documents.at(5))
    later["status"] = dict(document["status"], created=0, postage_purchased=2)
    for one in later["shipments"]:
        one["batch_status"] = "postage_purchased"
    through(later)
    assert db.one(
        "select status, num_shipments, created_count, postage_purchased_count "
        "from batch_operations where batch_id = %s", document["id"]) == (
            "purchased", 2, 0, 2)
    for one in shipments:
        stored = db.row("shipments", one["id"])
        assert stored["batch_id"] == document["id"]
        assert stored["batch_status"] == "postage_purchased"


def test_refunds_as_a_bare_array(through, db):
    document = documents.shipment(bought=True)
    through(document)
    refund = documents.refund(document["id"], document["tracking_code"])
    through([refund], status=201)
    row = db.row("refunds", refund["id"])
    assert row["status"] == "submitted"
    assert row["tracking_code"] == document["tracking_code"]


def test_lists_land_element_by_element(through, db):
    several = [documents.shipment(bought=True) for _ in range(5)]
    through({"shipments": several, "has_more": True})
    for one in several:
        assert db.row("shipments", one["id"])["tracking_code"]
        assert db.row("addresses", one["to_address"]["id"])


def test_an_order_with_its_shipments(through, db):
    several = [documents.shipment() for _ in range(3)]
    document = documents.order(several)
    through(document, status=201)
    for one in several:
        assert db.row("shipments", one["id"]) is not None
        assert db.row("parcels", one["parcel"]["id"]) is not None


def test_objects_deep_inside_of_others(through, db):
    own = documents.tracker([documents.detail(1, "in_transit", "Moved")])
    through(documents.insurance(own))
    assert db.row("trackers", own["id"])["status"] == "in_transit"
    hidden = documents.address()
    through({"a": [{"b": {"c": [hidden]}}]})
    assert db.row("addresses", hidden["id"]) is not None


def test_an_answer_that_holds_an_address(through, db):
    """create_and_verify wraps it."""
    document = documents.address(verifications={"delivery": {
        "success": True, "errors": [], "details": {"latitude": 37.5}}})
    through({"address": document})
    row = db.row("addresses", document["id"])
    assert row["verifications"]["delivery"]["success"] is True


def test_objects_without_ids_make_no_rows(through, db):
    """As /beta/rates answers: shipment-like, nothing has an id."""
    document = documents.shipment()
    mark = unique("street ")
    for part in (document, document["to_address"], document["from_address"],
                 document["parcel"], *document["rates"]):
        part.pop("id")
    document["to_address"]["street1"] = mark
    through(document)
    assert db("select 1 from addresses where street1 = %s", mark) == []


# --- verbatim ------------------------------------------------------------------


KINDS = ["Order", "Pickup", "Insurance", "Claim", "ScanForm", "EndShipper",
         "User", "ShipmentReport", "Event", "Payload", "Wombat"]


@pytest.mark.parametrize("kind", KINDS)
def test_any_object_is_kept_verbatim(through, db, kind):
    document = {"id": documents.new_id(kind.lower()), "object": kind,
                "mode": "test", "created_at": documents.at(),
                "updated_at": documents.at(), "weight": 136.0, "a": 1e3,
                "text": "Grüße \u2028 \" \\ /", "nested": [{"b": None}]}
    through(document)
    kept = documents_of(db, document["id"])
    assert kept == [compact(document)]


def documents_of(db, easypost_id):
    """The verbatim bytes kept for an id, oldest version first."""
    return [bytes(raw) if raw is not None else text.encode()
            for raw, text in db(
                "select raw, body::text from documents "
                "where easypost_id = %s order by received_at", easypost_id)]


def test_spaces_and_order_are_kept(through, db):
    own = documents.new_id("order")
    body = (b'{ "object":"Order" ,\n "id" : "%s", "z":1.50, "a":[ ] }\n'
            % own.encode())
    through(body)
    assert documents_of(db, own) == [body]


def test_each_version_is_kept_once(through, db):
    first = {"id": documents.new_id("pickup"), "object": "Pickup",
             "status": "unknown", "updated_at": documents.at()}
    second = dict(first, status="scheduled", updated_at=documents.at(1))
    for one in (first, second, first, second):
        through(one)
    assert documents_of(db, first["id"]) == [compact(first), compact(second)]


@pytest.mark.parametrize("body", [
    b'{"id":"%s","object":"Order","a":"\\u0000"}',
    b'{"id":"%s","object":"Order","a":"\x00"}',
    b'{"id":"%s","object":"Order","a":"\xff\xfe"}',
    b'{"id":"%s","object":"Order","a":"\\ud800"}',
    b'{"id":"%s","object":"Order","a":1e200000}',
    b'{"id":"%s","object":"Order","a":' + b"[" * 9000 + b"]" * 9000 + b"}",
    b'{"id":"%s","object":"Order"',
    b"<html>%s</html>",
    b"%s",
], ids=["escaped zero", "raw zero", "not UTF-8", "surrogate", "huge number",
        "deep", "cut", "html", "text"])
def test_what_postgresql_cannot_take_is_kept_raw(through, db, body):
    mark = unique("order_")
    body = body.replace(b"%s", mark.encode())
    through(body)
    kept = [row for row in db("select t::text from documents t")
            if mark.encode().hex() in row[0] or mark in row[0]]
    assert len(kept) == 1


@pytest.mark.parametrize("change", [
    {"status": "teleported"}, {"created_at": "2024-08-16T21:05:00"},
    {"created_at": "not a date"}, {"created_at": None},
    {"created_at": "0001-01-01T00:00:00Z"},
    {"created_at": "9999-12-31T23:59:59Z"}, {"created_at": 12},
    {"updated_at": None}, {"reference": "x" * 5000}, {"mode": "other"},
    {"rates": None}, {"rates": {}}, {"rates": [None, 1, "x"]},
    {"to_address": None}, {"to_address": "adr_1"}, {"to_address": []},
    {"parcel": None}, {"parcel": {"id": "prcl_x", "object": "Parcel"}},
    {"fees": [{"amount": "NaN"}]}, {"fees": "none"}, {"usps_zone": "x"},
    {"selected_rate": {"rate": "-1"}}, {"selected_rate": {"rate": 1e400}},
    {"selected_rate": "rate_1"}, {"tracker": 7}, {"customs_info": []},
    {"tracking_code": ""}, {"tracking_code": 1234}, {"options": []},
    {"batch_id": "batch_unknown"}, {"new_field": {"a": 1}},
], ids=lambda change: str(change)[:60])
def test_unexpected_content_is_never_lost(through, db, change):
    """EasyPost may change; the answer and the document survive it."""
    document = documents.shipment(bought=True, **change)
    through(compact(document).replace(b"Infinity", b"1e400"))
    kept = documents_of(db, document["id"])
    assert len(kept) == 1


@pytest.mark.parametrize("fields", [
    {"weight": 0.0}, {"weight": -3.0}, {"weight": None}, {"weight": "15.4"},
    {"weight": 1e30}, {"length": None, "width": None, "height": None},
    {"length": 0.0}, {"predefined_package": "FlatRateBox"},
], ids=str)
def test_a_strange_parcel_does_not_lose_its_shipment(through, db, fields):
    document = documents.shipment(parcel=documents.parcel(**fields))
    through(document)
    assert db.row("shipments", document["id"]) is not None


@pytest.mark.parametrize("days", [366, 3000000, 999999999, 10 ** 12, -1, 2.5])
def test_a_strange_promise_is_none(through, db, days):
    document = documents.shipment(bought=True)
    document["selected_rate"].update(delivery_days=days, delivery_date=None)
    through(document)
    assert db.row("shipments", document["id"])["promised_at"] is None


@pytest.mark.parametrize("country", [None, "", "us", "USA", "United States"])
def test_a_strange_country_does_not_lose_its_shipment(through, db, country):
    document = documents.shipment(
        to_address=documents.address(country=country))
    through(document)
    assert db.row("shipments", document["id"]) is not None


# --- once, newest --------------------------------------------------------------


def test_the_same_again_changes_nothing(through, db):
    document = full_shipment()
    through(document)
    first = everything_of(db, document)
    for _ in range(3):
        through(document)
    assert everything_of(db, document) == first


def everything_of(db, document):
    own = db.row("shipments", document["id"])
    return {
        "shipment": own,
        "addresses": [db.row("addresses", document[f"{role}_address"]["id"])
                      for role in ("from", "to", "return", "buyer")],
        "parcel": db.row("parcels", document["parcel"]["id"]),
        "tracker": db.row("trackers", document["tracker"]["id"]),
        "events": db("select * from shipment_events where shipment_id = %s "
                     "order by id", own["id"]),
        "rates": db("select * from rates where easypost_id = any (%s) "
                    "order by id", [one["id"] for one in document["rates"]]),
        "documents": documents_of(db, document["id"]),
    }


def test_the_newer_wins_and_the_older_changes_nothing(through, db):
    old = documents.shipment(reference="old")
    new = dict(old, **documents.purchase(old), reference="new")
    through(old)
    through(new)
    bought = everything_of(db, new)
    assert bought["shipment"]["reference"] == "new"
    assert bought["shipment"]["total_cost"] == Decimal("6.07")
    through(old)
    assert everything_of(db, new) == bought


def test_an_older_address_never_overwrites(through, db):
    new = documents.address(city="New", updated_at=documents.at(5))
    old = dict(new, city="Old", updated_at=documents.at(1))
    through(new)
    through(old)
    assert db.row("addresses", new["id"])["city"] == "New"
    through(documents.shipment(to_address=old))
    assert db.row("addresses", new["id"])["city"] == "New"


def test_ties_end_the_same_in_both_orders(through, db):
    """Same updated_at, different content: one of them wins, always."""
    first = documents.address(city="A")
    second = dict(first, city="B")
    for one in (first, second):
        through(one)
    winner = db.row("addresses", first["id"])["city"]
    for story in ([first], [second], [second, first], [first, second]):
        for one in story:
            through(one)
        assert db.row("addresses", first["id"])["city"] == winner


def test_ten_at_once_are_one(sim, stack, db):
    document = full_shipment()
    path = "/v2/" + unique("race_")
    sim.canned("POST", path, document)
    got = parallel(10, lambda _: Client(stack, stack.key).post(path))
    assert [one.status_code for one in got] == [200] * 10
    assert db.row("shipments", document["id"]) is not None
    assert db.one("select count(*) from shipment_events e join shipments s "
                  "on s.id = e.shipment_id where s.easypost_id = %s",
                  document["id"]) == 2


def test_crossing_graphs_at_once_do_not_deadlock(sim, stack, db, through):
    """Shipments that share addresses in opposite roles."""
    def is_direct():
        document = documents.address()
        through(document, method="POST", status=201)
        return db.row("addresses", document["id"]) is not None

    one, two = documents.address(), documents.address()
    several = [documents.shipment(
        from_address=one if number % 2 else two,
        to_address=two if number % 2 else one) for number in range(12)]
    paths = ["/v2/" + unique("cross_") for _ in several]
    for path, document in zip(paths, several):
        sim.canned("POST", path, document)
    got = parallel(len(paths), lambda number: Client(
        stack, stack.key).post(paths[number]))
    assert [answer.status_code for answer in got] == [200] * len(paths)
    # New connections that wait for each other may take the way by the spool.
    wait_recorded(stack)
    for document in several:
        assert db.row("shipments", document["id"]) is not None
    assert b"deadlock" not in stack.logs()["postgres.log"]
    wait_until(is_direct, 30, "the way into the database")


# --- durable before the answer ---------------------------------------------------


@pytest.mark.parametrize("method", ["POST", "PUT", "PATCH"])
def test_the_record_of_a_write_is_there_with_the_answer(through, db, method):
    for _ in range(15):
        document = documents.address()
        through(document, method=method, status=201)
        # Not by row(), which waits.
        assert db("select 1 from addresses where easypost_id = %s",
                  document["id"]) == [(1,)]


def test_the_record_of_a_read_follows_the_answer(through, db):
    document = full_shipment()
    through(document, method="GET")
    wait_until(lambda: db.row("shipments", document["id"]), 5, "the record")


@pytest.mark.parametrize("status", [400, 404, 422, 500, 302])
def test_refusals_are_not_recorded(through, db, status):
    document = documents.address()
    through(document, status=status)
    assert db.row("addresses", document["id"]) is None
    assert documents_of(db, document["id"]) == []


# --- secrets -----------------------------------------------------------------------


def traces(stack, secret):
    """Where a secret can be found in a dump of the database."""
    dump = subprocess.run(
        ["pg_dump", "--data-only", "--inserts", stack.database_url],
        capture_output=True, check=True).stdout.decode("utf-8", "replace")
    forms = {secret, secret.encode().hex(),
             base64.b64encode(secret.encode()).decode().rstrip("=")}
    return [line[:200] for line in dump.splitlines()
            if any(form in line for form in forms)]


def test_secrets_inside_of_documents_are_blanked(stack, through, db):
    secrets = [unique("EZTKsecret") for _ in range(6)]
    bodies = [
        {"id": documents.new_id("ak"), "object": "ApiKey", "active": True,
         "key": secrets[0], "mode": "test"},
        {"id": documents.new_id("user"), "object": "User", "api_keys": [
            {"id": documents.new_id("ak"), "object": "ApiKey",
             "key": secrets[1], "mode": "production"}]},
        {"id": documents.new_id("user"), "keys": [
            {"id": documents.new_id("ak"), "object": "ApiKey",
             "key": secrets[2]}], "children": []},
        {"id": documents.new_id("ca"), "object": "CarrierAccount",
         "type": "DhlEcsAccount",
         "credentials": {"client_secret": secrets[3]},
         "test_credentials": {"client_secret": secrets[4]},
         "fields": {"credentials": {"client_secret": {
             "visibility": "password", "label": "Secret",
             "value": secrets[5]}}}},
    ]
    for body in bodies:
        through(body)
    for secret in secrets:
        assert traces(stack, secret) == [], secret
    assert documents_of(db, bodies[3]["id"])


def test_custom_headers_of_webhooks_are_blanked(stack, through):
    secret = unique("header-secret-")
    through({"id": documents.new_id("hook"), "object": "Webhook",
             "url": "https://user:" + secret + "@example.com/hook",
             "custom_headers": [{"name": "X-Token", "value": secret}]})
    assert traces(stack, secret) == []


def test_request_bodies_with_secrets_leave_no_trace(
        stack, client, same_webhooks):
    secret = unique("hook-secret-")
    path = "/v2/webhooks"
    got = client.post(path, document={"webhook": {
        "url": "https://example.com/hook", "webhook_secret": secret}})
    assert got.status_code == 201, got.text
    assert traces(stack, secret) == []
