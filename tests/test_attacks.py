"""What attacks found: each test was one defect, seen from outside."""

import datetime
import email.utils
import json
import random
import subprocess
import threading
import time

import pytest

import documents
from env.stack import Stack
from fixtures import simulator
from helpers import (Client, Database, assert_error, deliver,
                     setting, unique, wait_until)
from test_reconcile import EasyPost, command, count, ledger
from test_simple import FROM, PARCEL, TO, keyed
from test_spending import buy_a_shipment


@pytest.fixture(scope="module")
def one_stack(tmp_path_factory):
    with Stack(tmp_path_factory.mktemp("attacks"), conf={
            "WORKERS": "6", "WORKERS_OVERFLOW": "0"}) as one:
        one.control = simulator(one)
        yield one


@pytest.fixture
def own(one_stack):
    """No fault is left, and nothing waits."""
    yield one_stack
    one_stack.control.session.delete(one_stack.control.base + "/_sim/fault",
                                     timeout=10)


@pytest.fixture
def own_db(one_stack):
    found = Database(one_stack.database_url)
    yield found
    found.close()


@pytest.fixture
def empty(own, own_db):
    """Nothing is there, neither here nor at EasyPost."""
    own.control._post("/reset", {})
    own.control._post("/settings", {"auto_deliver": False, "list_limit": 0})
    own_db("truncate addresses, parcels, customs_infos, trackers, shipments, "
           "shipment_events, refunds, shipment_invoices, rates, documents, "
           "webhook_events, webhook_event_ids, walks, reconciliation_ledger cascade")
    return own


def moved(minute=1, **fields):
    return documents.tracker([documents.detail(minute, "in_transit", "Moved")],
                             **fields)


# --- rebuild ---------------------------------------------------------------------------


def test_a_rebuild_holds_up_nobody(make_stack):
    """While others write what it rebuilds it ends, and they go on as before."""
    own = make_stack(conf={"WORKERS": "6", "WORKERS_OVERFLOW": "0"})
    sim, client = simulator(own), Client(own, own.key)
    known = [documents.shipment(bought=True) for _ in range(300)]
    for first in range(0, 300, 20):
        path = "/v2/" + unique("list_")
        sim.canned("GET", path, {"shipments": known[first:first + 20]})
        assert client.get(path).status_code == 200
    for one in known:
        assert deliver(client, documents.event("tracker.updated", dict(
            one["tracker"], updated_at=documents.at(2)))).status_code == 200
    place, is_over, sent = own.log_sizes(), threading.Event(), []

    def events(seed):
        chance, nobody = random.Random(seed), Client(own)
        while not is_over.wait(0.05):
            sent.append(1)
            deliver(nobody, documents.event("tracker.updated", dict(
                chance.choice(known)["tracker"], tracking_details=[
                    documents.detail(chance.randrange(999), "in_transit",
                                     "Moved")])))

    def answers(seed):
        chance, buyer = random.Random(seed), Client(own, own.key)
        while not is_over.wait(0.3):
            path, minute = "/v2/" + unique("list_"), chance.randrange(3, 999)
            sim.canned("POST", path, {"shipments": [
                dict(one, updated_at=documents.at(minute))
                for one in chance.sample(known, 10)]})
            buyer.post(path)

    threads = [threading.Thread(target=work, args=(seed,))
               for seed, work in enumerate((events, events, answers, answers))]
    for thread in threads:
        thread.start()
    try:
        ended = [command(own, "rebuild", limit_s=120) for _ in range(2)]
    finally:
        is_over.set()
        for thread in threads:
            thread.join()
    logs = {name: text.decode() for name, text in own.logs(place).items()}
    spooled = logs["webhook.log"].count("next=spool")
    assert [one[0] for one in ended] == [0, 0], ended
    assert "deadlock detected" not in logs["postgres.log"]
    assert ">breaker.open " not in logs["webhook.log"]
    assert spooled <= len(sent) / 20, (spooled, len(sent))


@pytest.mark.parametrize("how", ["replay", "rebuild"])
def test_applied_again_it_is_the_same(own, own_db, how):
    tracker = documents.tracker([documents.detail(
        1, "in_transit", "See https://user:secret@carrier.example/x")])
    event = documents.event("tracker.updated", tracker)
    assert deliver(Client(own), event).status_code == 200
    if how == "replay":
        assert Client(own, own.key).post(
            f"/db/webhooks/{event['id']}/replay").status_code == 200
    else:
        own.waybill("rebuild")
    assert own_db.one("select count(*) from shipment_events e join trackers t "
                      "on t.id = e.tracker_id where t.easypost_id = %s",
                      tracker["id"]) == 1


# --- EasyPost is down ------------------------------------------------------------------


def test_head_of_what_is_known(own):
    client = Client(own, own.key)
    made = client.post("/v2/addresses", document={"address": TO}).json()
    path = "/v2/addresses/" + made["id"]
    own.control.fault(f"* {path}", "close_before", times=0)
    assert client.get(path).headers["X-Waybill-Source"] == "database"
    got = client("HEAD", path)
    assert (got.status_code, got.headers.get("X-Waybill-Source")) \
        == (200, "database")


# --- bought once -----------------------------------------------------------------------


def test_what_was_not_sent_may_be_sent_again(own, own_db):
    """503 said so.  A claim that came in late is passed over after a minute."""
    client, headers = Client(own, own.key), keyed()
    body = {"shipment": {"to_address": TO, "from_address": FROM,
                         "parcel": PARCEL, "reference": unique("late-")}}
    for _ in range(9):  # every worker has its connection
        assert client.post("/v2/addresses", document={"address": TO},
                           headers=keyed()).status_code == 201
    own_db.close()
    own.postgres.freeze()
    try:
        assert_error(client.post("/v2/shipments", document=body,
                                 headers=headers), 503,
                     "DATABASE.UNAVAILABLE", easypost=True)
    finally:
        own.postgres.thaw()
    db = Database(own.database_url)
    wait_until(lambda: client.post(
        "/v2/addresses", document={"address": TO},
        headers=keyed()).status_code == 201, 10, "the database")
    db("update idempotency_claims set created_at = now() - interval '61 s' "
       "where state = 'running'")
    got = client.post("/v2/shipments", document=body, headers=headers)
    db.close()
    assert got.status_code == 201, got.text


def test_no_secret_is_in_a_claim(own, own_db):
    """Analysts (waybill_reader) read this table."""
    secret, path = unique("EZAK"), "/v2/api_keys"
    own.control.canned("POST", path, {"object": "ApiKey", "id": "ak_1",
                                      "mode": "test", "key": secret})
    assert Client(own, own.key).post(path, document={"mode": "test"},
                                     headers=keyed()).status_code == 200
    assert own_db.one("select count(*) from documents "
                      "where body::text like %s", f"%{secret}%") == 0
    assert own_db.one(
        "select count(*) from idempotency_claims "
        "where convert_from(response, 'UTF8') like %s", f"%{secret}%") == 0


@pytest.mark.parametrize("wish", ["max_price", "service"])
def test_what_another_bought_is_not_the_answer(own, wish):
    """In doubt: somebody bought dearly, somebody else wants the cheapest."""
    client = Client(own, own.key)
    path, _, _ = buy_a_shipment(client)
    thing = path.rsplit("/", 1)[0]
    rates = sorted(client.get(thing).json()["rates"],
                   key=lambda rate: float(rate["rate"]))
    own.control.fault(f"POST {path}", "close_after")
    own.control.fault(f"GET {thing}", "status", status=503)
    assert client.post(path, document={
        "rate": {"id": rates[-1]["id"]}}).status_code == 502
    got = client.post(path[3:], headers=keyed(), document={
        "max_price": {"rate": "cheapest", "max_price": rates[0]["rate"]},
        "service": {"rate": {"carrier": rates[0]["carrier"],
                             "service": rates[0]["service"]}}}[wish])
    assert got.status_code == 422, got.json()["data"]["selected_rate"]


def test_an_empty_answer_is_an_answer(own):
    client, headers = Client(own, own.key), keyed()
    path = "/v2/bank_accounts/" + unique() + "/charges"
    own.control.canned("POST", path, b"", status=201)
    for _ in range(2):
        got = client.post(path, document={"amount": "1"}, headers=headers)
        assert (got.status_code, got.content) == (201, b""), got.text
    assert len(own.control.calls(path)) == 1


def test_a_purchase_with_an_odd_reference_has_its_answer(own):
    client, headers = Client(own, own.key), keyed()
    made = client.post(
        "/v2/shipments", headers={"Content-Type": "application/json"},
        data=json.dumps({"shipment": {
            "to_address": TO, "from_address": FROM, "parcel": PARCEL,
            "reference": "a\0b"}})).json()
    path = f"/v2/shipments/{made['id']}/buy"
    answers = [client.post(path, headers=headers, document={
        "rate": {"id": made["rates"][0]["id"]}}) for _ in range(2)]
    assert len(own.control.calls(path)) == 1
    assert answers[0].status_code == 200
    assert answers[1].content == answers[0].content


# --- the spool -------------------------------------------------------------------------


@pytest.mark.parametrize("body", [b'{"hello":"world"}', b"no JSON"])
def test_what_is_no_event_is_kept_or_refused(own, own_db, body):
    nobody, secret = Client(own), setting(own, "EASYPOST_WEBHOOK_SECRET")
    assert_error(deliver(nobody, body, secret=secret), 400, "EVENT.INVALID")
    own_db.close()
    own.postgres.freeze()
    try:
        got = deliver(nobody, body, secret=secret)
    finally:
        own.postgres.thaw()
    db = Database(own.database_url)
    wait_until(lambda: "waiting" not in command(own, "spool")[1], 20,
               "the drain")
    kept = db.one("select count(*) from webhook_events where raw = %s", body)
    db.close()
    assert got.status_code == 400 or kept or "bad" in command(own, "spool")[1]


def test_a_record_that_has_to_wait_holds_up_no_other(own, own_db):
    known, nobody = moved(), Client(own)
    assert deliver(nobody, documents.event(
        "tracker.updated", known)).status_code == 200
    holder = Database(own.database_url)
    holder("begin")
    holder("select 1 from trackers where easypost_id = %s for update",
           known["id"])
    try:
        for minute in range(3):
            assert deliver(nobody, documents.event("tracker.updated", dict(
                known, status="delivered",
                updated_at=documents.at(9 + minute)))).status_code == 200
        other = documents.event("tracker.updated", moved())
        own.postgres.freeze()
        try:
            assert deliver(nobody, other).status_code == 200
        finally:
            own.postgres.thaw()
        wait_until(lambda: own_db.one(
            "select count(*) from webhook_events where easypost_id = %s",
            other["id"]), 10, "the event that has nothing to wait for")
    finally:
        holder("rollback")
        holder.close()


# --- backfill and reconcile ------------------------------------------------------------


REFUSE = """
create function public.refuse() returns trigger language plpgsql as $$
begin
    if new.easypost_id = '{id}' and ({when}) then
        raise exception 'not this one' using errcode = '23514';
    end if;
    return new;
end $$;
create trigger refuse before insert or update on shipments
    for each row execute function public.refuse()
"""
FORGET = "drop function if exists public.refuse() cascade"


def shipments_of_today(stack):
    days = ledger(stack, object="shipment", mode="test")
    return next(day for day in days if day["easypost_count"])


def buy_behind_our_back(stack, db):
    """A shipment that is older here than there, and cannot be repaired."""
    there = EasyPost(stack, "test")
    made = there.shipment()
    assert command(stack, "backfill")[0] == 0
    db(REFUSE.format(id=made["id"],
                     when="new.doc_tracking_code is not null"))
    there("POST", f"/v2/shipments/{made['id']}/buy", {
        "rate": made["rates"][0]})
    return made["id"]


def test_what_is_older_here_is_not_complete(empty, own_db):
    bought = buy_behind_our_back(empty, own_db)
    try:
        assert command(empty, "reconcile", "--days", "1")[0] == 1
        assert own_db.row("shipments", bought)["selected_rate_id"] is None
        day = shipments_of_today(empty)
    finally:
        own_db(FORGET)
    assert not day["is_complete"] and day["missing_ids"] == [bought], day


@pytest.mark.parametrize("is_here", [True, False])
def test_what_could_not_be_recorded_is_repaired_later(
        empty, own_db, is_here):
    try:
        if is_here:
            made = buy_behind_our_back(empty, own_db)
        else:
            made = EasyPost(empty, "test").shipment()["id"]
            own_db(REFUSE.format(id=made, when="true"))
        command(empty, "reconcile", "--days", "1")
    finally:
        own_db(FORGET)
    assert command(empty, "reconcile", "--days", "1")[0] == 0
    day = shipments_of_today(empty)
    assert day["is_complete"] and day["repaired"] == 1, day
    row = own_db.row("shipments", made)
    assert row and (row["selected_rate_id"] or not is_here), row


def test_one_walk_at_a_time_whatever_breaks(empty, own_db):
    calls = len(empty.control.calls("/v2/shipments?page_size"))
    empty.control.fault("GET /v2/shipments*", "timeout_before", seconds=4)
    words = [empty.service.program("waybill"), "-c", empty.conf_file,
             "reconcile", "--days", "1"]
    with subprocess.Popen(words, stdout=subprocess.PIPE,
                          stderr=subprocess.STDOUT) as first:
        wait_until(lambda: len(empty.control.calls(
            "/v2/shipments?page_size")) > calls, 20, "the first list")
        own_db("select pg_terminate_backend(pid) from pg_stat_activity "
               "where application_name = 'waybill'")
        second = command(empty, "reconcile", "--days", "1")
        first.communicate(timeout=60)
    # One of the two gives up.
    assert first.returncode == 1 or second[0] == 1, second


def test_a_page_counts_once(empty, own_db):
    there = EasyPost(empty, "test")
    for _ in range(3):
        there("POST", "/v2/addresses", {"address": TO})
    # Commits wait for a server that is not there, behind their commit.
    own_db("alter system set synchronous_standby_names = 'nobody'")
    own_db("select pg_reload_conf()")

    def let_go():
        """Everything may go on, but the page of addresses is cut."""
        for pid, query in own_db(
                "select pid, query from pg_stat_activity where wait_event = "
                "'SyncRep' and application_name like 'waybill%%'"):
            if "reconcile_page" in query and own_db(
                    "select 1 from reconciliation_ledger "
                    "where object = 'address' and mode = 'test'"):
                return own_db("select pg_terminate_backend(%s)", pid)
            own_db("select pg_cancel_backend(%s)", pid)
        return running.poll() is not None

    words = [empty.service.program("waybill"), "-c", empty.conf_file,
             "reconcile", "--days", "1"]
    with subprocess.Popen(words, stdout=subprocess.PIPE,
                          stderr=subprocess.STDOUT) as running:
        try:
            wait_until(let_go, 60, "the page of addresses")
        finally:
            own_db("alter system reset synchronous_standby_names")
            own_db("select pg_reload_conf()")
        running.communicate(timeout=60)
    day = ledger(empty, object="address", mode="test")[0]
    assert day["easypost_count"] == 3, day


def test_days_outside_of_a_run_stay_as_they_are(empty):
    """A list that does not know start_datetime."""
    def made(days):
        when = (documents.NOW - datetime.timedelta(days=days)).strftime(
            "%Y-%m-%dT%H:%M:%SZ")
        return documents.address(created_at=when, updated_at=when)

    empty.control.fault(
        "GET /v2/addresses*", "status", status=200, times=0, body=json.dumps({
            "addresses": [made(days) for days in (0, 0, 1, 2, 2)],
            "has_more": False}))
    assert command(empty, "reconcile", "--days", "3")[0] == 0
    before = ledger(empty, object="address", mode="test")[1:]
    assert command(empty, "reconcile", "--days", "1")[0] == 0
    assert ledger(empty, object="address", mode="test")[1:] == before


def test_a_walk_goes_on_behind_what_was_deleted(empty, own_db):
    there = EasyPost(empty, "test")
    for number in range(110):
        there("POST", "/v2/trackers", {"tracker": {
            "tracking_code": f"94{number:020}", "carrier": "USPS"}})
    # Two modes: the second page of the second one.
    empty.control.fault("GET /v2/trackers*", "status", status=403, skip=2)
    assert command(empty, "backfill", "--type", "tracker")[0] == 1
    last = own_db.one("select before_id from walks where mode = 'test' "
                      "and finished_at is null")
    assert there.session.delete(there.base + "/v2/trackers/" + last,
                                timeout=20).status_code == 200
    status, _, error = command(empty, "backfill", "--type", "tracker")
    assert (status, count(own_db, "tracker")) == (0, 110), error


@pytest.mark.parametrize("name", ["A\\u0000B", "\\ud800"])
def test_one_odd_object_holds_up_no_other(empty, own_db, name):
    """As webhooks: what cannot be read is kept raw, the others are recorded."""
    page = json.dumps({"addresses": [documents.address() for _ in range(10)],
                       "has_more": False})
    empty.control.fault("GET /v2/addresses*", "status", status=200, times=0,
                        body=page.replace("Elizabeth Swan", name, 1))
    status, _, error = command(empty, "backfill", "--type", "address")
    assert status == 0, error
    assert count(own_db, "address") >= 9


def test_retry_after_may_be_a_date(empty):
    """RFC 9110, 10.2.3."""
    EasyPost(empty, "test")("POST", "/v2/addresses", {"address": TO})
    empty.control.fault("GET /v2/addresses*", "status", status=429, headers={
        "Retry-After": email.utils.formatdate(time.time() + 4, usegmt=True)})
    assert command(empty, "backfill", "--type", "address")[0] == 0
    at = [call["at"] for call in empty.control.calls("/v2/addresses?page_size")]
    assert at[1] - at[0] >= 2, at


@pytest.mark.parametrize("option", ["--since", "--until"])
def test_a_day_that_does_not_exist(own, option):
    status, _, error = command(own, "backfill", option, "2026-02-30")
    assert status == 2 and option + " must be" in error
