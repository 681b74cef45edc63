"""Replay and rebuild: the raw documents and events make the tables again, and
change nothing where all is well."""

import itertools
import json

import pytest

import documents
from env.stack import Stack
from fixtures import simulator
from helpers import (Client, Database, assert_error, compact, deliver,
                     deliver_recorded, unique, wait_until)
from test_recording import full_shipment
from test_simple import FROM, PARCEL, TO, cheapest

# When we wrote, and what is no function of documents: logs, keys, claims.
BOOKKEEPING = ["recorded_at"]
TABLES = ["addresses", "parcels", "customs_infos", "trackers", "shipments",
          "shipment_events", "refunds", "shipment_invoices", "rates",
          "batch_operations", "batch_items", "webhook_events", "documents"]


@pytest.fixture(scope="module")
def own(tmp_path_factory):
    with Stack(tmp_path_factory.mktemp("rebuild"), conf={
            "WORKERS": "6", "WORKERS_OVERFLOW": "0"}) as one:
        yield one


@pytest.fixture
def own_db(own):
    found = Database(own.database_url)
    yield found
    found.close()


@pytest.fixture(scope="module")
def story(own):
    """Everything that makes rows: purchases, lists, events in any order, ties,
    refunds, batches, own shipments, amendments, deletions."""
    client, sim = Client(own, own.key), simulator(own)

    def through(document, method="POST"):
        path = "/v2/" + unique("story_")
        sim.canned(method, path, document)
        assert client(method, path).status_code == 200
        return document

    for _ in range(3):
        made = client.post("/v2/shipments", document={"shipment": {
            "to_address": TO, "from_address": FROM, "parcel": PARCEL,
            "reference": unique("ref-")}}).json()
        bought = client.post(f"/v2/shipments/{made['id']}/buy", document={
            "rate": cheapest(made)}).json()
    assert client.post(
        f"/v2/shipments/{bought['id']}/refund").status_code == 200
    whole = through(full_shipment())
    client.get("/v2/shipments?page_size=20")
    told = [documents.detail(n, status, f"at {n}") for n, status in
            enumerate(("pre_transit", "in_transit", "in_transit",
                       "out_for_delivery", "delivered"))]
    tracker = documents.tracker(told[:1], updated_at=documents.at(0))
    for order in itertools.permutations(range(2, 5)):
        tracker = documents.tracker(told[:1], updated_at=documents.at(0))
        for n in order:
            deliver_recorded(client, documents.event("tracker.updated", dict(
                tracker, status=told[n]["status"],
                updated_at=documents.at(n // 2),  # ties
                tracking_details=told[:n + 1])))
    through({"shipments": [documents.shipment(bought=True) for _ in range(3)],
             "has_more": False}, "GET")
    through(documents.refund(whole["id"], whole["tracking_code"]))
    bill = documents.invoice(whole["id"], whole["tracking_code"])
    deliver(client, documents.event("shipment.invoice.created", bill))
    deliver(client, documents.event("shipment.invoice.updated", dict(
        bill, adjustment_amount="-0.50000"), 9))
    through({"rates": [documents.rate(whole["id"]) for _ in range(2)]})
    deliver(client, documents.event("batch.updated",
                                    documents.batch([whole["id"]])))
    deliver(client, documents.event("batch.updated", {"object": "Unknown"}))
    answer = client.post("/db/shipments", document={
        "status": "pre_transit", "tracking_code": "OWN" + unique()[:12],
        "to_address": TO, "from_address": FROM, "parcel": PARCEL})
    assert answer.status_code == 201, answer.text
    amended = client("PATCH", "/db/shipments/" + whole["id"], data=compact(
        {"reference": "ours", "extra_metadata": {"a": 1}}),
        headers={"Content-Type": "application/json"})
    assert amended.status_code == 200, amended.text
    gone = through(documents.shipment(bought=True))
    assert client("DELETE", "/db/shipments/" + gone["id"]).status_code == 200
    own.stop_pool("upstream")  # nothing moves any more
    own.sim.stop()
    return whole


def quiet(own, db):
    """When nothing comes any more: all tables, without bookkeeping."""
    def look():
        return {table: sorted(json.dumps(row[0], sort_keys=True) for row in db(
            f"select to_jsonb(t) - '{{{','.join(BOOKKEEPING)}}}'::text[] "
            f"from {table} t")) for table in TABLES}

    before = [look()]

    def is_still():
        before.append(look())
        return before[-1] == before[-2]

    wait_until(is_still, 20, "quiet")
    return before[-1]


def differences(one, other):
    return {table: [row for row in one[table] + other[table]
                    if (row in one[table]) != (row in other[table])][:4]
            for table in TABLES if one[table] != other[table]}


def heard(db):
    """How fresh what we know of trackers is must not look better than it is."""
    return db("select easypost_id, recorded_at from trackers order by 1")


def test_where_all_is_well_nothing_changes(own, own_db, story):
    before = quiet(own, own_db)
    assert not [table for table in TABLES if not before[table]]
    said = own.waybill("rebuild")
    for table in TABLES[:4] + ["documents", "events", "histories"]:
        assert f"{table} " in said
    assert f"documents {len(before['documents'])}" in said
    assert f"events {len(before['webhook_events'])}" in said
    assert differences(before, quiet(own, own_db)) == {}
    old = dict(heard(own_db))
    own.waybill("rebuild")
    assert differences(before, quiet(own, own_db)) == {}
    assert dict(heard(own_db)) == old


CORRUPTIONS = {
    "values": "update shipments set carrier = 'X', total_cost = 1 "
              "where doc_status is not null",
    "status": "update trackers set status = 'error', tracking_details = '[]'",
    "addresses": "update addresses set city = 'Nowhere' "
                 "where easypost_id is not null",
    "events": "delete from shipment_events where status = 'in_transit'",
    "shipment": "update shipment_events set shipment_id = null",
    "more events": "insert into shipment_events (id, tracker_id, created_at, "
                   "status) select uuid_generate_v7(), id, now(), 'error' "
                   "from trackers",
    "rows": "delete from refunds; delete from rates; "
            "delete from shipment_invoices",
    "adjustments": "update shipments set adjustment = 9, adjustment_count = 1 "
                   "where doc_status is not null",
    "versions": "update parcels set doc_richness = 2000000000, length = 1 "
                "where easypost_id is not null",
}


@pytest.mark.parametrize("name", list(CORRUPTIONS))
def test_what_is_wrong_is_made_right(own, own_db, story, name):
    before = quiet(own, own_db)
    own_db(CORRUPTIONS[name])
    assert differences(before, quiet(own, own_db)) != {}
    own.waybill("rebuild")
    assert differences(before, quiet(own, own_db)) == {}


def test_it_goes_on_while_others_write(own, own_db, story):
    """Events that come meanwhile win or lose by their time alone."""
    client = Client(own)
    known = documents.tracker([documents.detail(0, "pre_transit", "made")],
                              updated_at=documents.at(0))
    deliver_recorded(client, documents.event("tracker.updated", known))
    newer = dict(known, status="delivered", updated_at=documents.at(50))
    older = dict(known, status="in_transit", updated_at=documents.at(20))
    own_db("select admin.rebuild_rows('trackers', %s, 100000)",
           "00000000-0000-0000-0000-000000000000")
    for one in (newer, older):
        deliver_recorded(client, documents.event("tracker.updated", one))
    own.waybill("rebuild")
    assert own_db.row("trackers", known["id"])["status"] == "delivered"


def test_words_that_are_none(own):
    with pytest.raises(Exception, match="usage"):
        own.waybill("rebuild", "now")


# --- replay ------------------------------------------------------------------------------


def event():
    return documents.event("tracker.updated", documents.tracker(
        [documents.detail(1, "in_transit", "Moved")]))


@pytest.mark.parametrize("by", ["id", "easypost_id"])
def test_a_failed_event_is_applied_when_its_cause_is_mended(
        client, db, nobody, by):
    sent = event()
    tracker = sent["result"]["id"]
    db("create function public.refuse() returns trigger language plpgsql as "
       f"$$ begin if new.easypost_id = '{tracker}' then raise exception "
       "'not this one' using errcode = '23514'; end if; return new; end $$")
    db("create trigger refuse before insert on trackers for each row "
       "execute function public.refuse()")
    try:
        deliver_recorded(nobody, sent)
        row = client.get("/db/webhooks/" + sent["id"]).json()["data"]
        assert (row["state"], row["error"]) == ("failed", "not this one")
        path = f"/db/webhooks/{row[by]}/replay"
        got = client.post(path)
        assert got.status_code == 200, got.text
        assert got.json()["data"] == {
            "id": row["id"], "easypost_id": sent["id"], "state": "failed",
            "error": "not this one"}
        assert db.row("trackers", tracker) is None
    finally:
        db("drop function public.refuse() cascade")
    for _ in range(2):  # once more changes nothing
        got = client.post(path).json()["data"]
        assert (got["state"], got["error"]) == ("applied", None)
        assert db.row("trackers", tracker)["status"] == sent["result"]["status"]
        assert db.one("select count(*) from shipment_events e join trackers t "
                      "on t.id = e.tracker_id where t.easypost_id = %s",
                      tracker) == 1
    assert client.get("/db/webhooks/" + sent["id"]).json()["data"][
        "state"] == "applied"


def test_what_holds_nothing_is_kept(client, nobody):
    sent = documents.event("payment.created", {"object": "Payment", "id": "x"})
    deliver_recorded(nobody, sent)
    got = client.post(f"/db/webhooks/{sent['id']}/replay").json()["data"]
    assert (got["state"], got["error"]) == ("kept", None)


def test_replays_that_are_refused(stack, client, nobody, db):
    sent = event()
    deliver_recorded(nobody, sent)
    path = f"/db/webhooks/{sent['id']}/replay"
    assert_error(client.post("/db/webhooks/evt_nothing/replay"), 404,
                 "NOT_FOUND")
    assert_error(client.post("/db/webhooks/a%20b/replay"), 400,
                 "PARAMETER.INVALID")
    assert_error(client.post(path + "?x=1"), 400, "PARAMETER.UNKNOWN")
    assert_error(nobody.post(path), 401)
    reader = stack.service.make_key(unique("reader-"), "test", scopes="read")
    assert_error(Client(stack, reader).post(path), 403, "SCOPE.INSUFFICIENT")
    other = Client(stack, stack.key_production if sent["mode"] == "test"
                   else stack.key)
    assert_error(other.post(path), 403, "MODE.FOREIGN")
    assert_error(client.get(path), 405, "METHOD.NOT_ALLOWED")
