"""Backfill and reconcile: what EasyPost has from before, or has and never told,
comes into the database; and the ledger says so."""

import datetime
import itertools
import json
import os
import random
import re
import signal
import subprocess

import pytest
import requests

from env.stack import ROOT, Stack
from fixtures import simulator
from helpers import (Client, Database, assert_error, deliver, setting, unique,
                     wait_until)
from test_simple import FROM, PARCEL, TO, cheapest

SIZE = int(os.environ.get("TEST_RECONCILED", "150"))
KINDS = {"shipment": "shipments", "tracker": "trackers",
         "address": "addresses", "refund": "refunds"}


class EasyPost:
    """EasyPost as somebody uses it behind the gateway's back."""

    def __init__(self, stack, mode):
        self.base = stack.sim.base
        self.session = requests.Session()
        self.session.trust_env = False
        self.session.auth = (setting(stack, "EASYPOST_TEST_API_KEY" if mode
                                     == "test" else "EASYPOST_API_KEY"), "")

    def __call__(self, method, path, document=None):
        answer = self.session.request(method, self.base + path, json=document,
                                      timeout=20)
        assert answer.status_code < 300, (path, answer.text)
        return answer.json()

    def shipment(self, bought=False):
        made = self("POST", "/v2/shipments", {"shipment": {
            "to_address": TO, "from_address": FROM, "parcel": PARCEL,
            "reference": unique("ref-")}})
        if bought:
            made = self("POST", f"/v2/shipments/{made['id']}/buy",
                        {"rate": cheapest(made)})
        return made


@pytest.fixture(scope="module")
def one_stack(tmp_path_factory):
    with Stack(tmp_path_factory.mktemp("reconcile"), conf={
            "WORKERS": "4", "WORKERS_OVERFLOW": "0"}) as one:
        one.sim_control = simulator(one)
        yield one


@pytest.fixture
def own_db(one_stack):
    found = Database(one_stack.database_url)
    yield found
    found.close()


@pytest.fixture
def own(one_stack, own_db):
    """Nothing is there, neither here nor at EasyPost; events are made and not
    delivered."""
    sim = one_stack.sim_control
    sim._post("/reset", {})
    sim._post("/settings", {"auto_deliver": False, "list_limit": 0})
    own_db("truncate addresses, parcels, customs_infos, trackers, shipments, "
           "shipment_events, refunds, shipment_invoices, rates, documents, "
           "webhook_events, webhook_event_ids, walks, reconciliation_ledger cascade")
    return one_stack


def command(stack, *words, limit_s=600):
    done = subprocess.run(
        [stack.service.program("waybill"), "-c", stack.conf_file, *words],
        capture_output=True, text=True, check=False, timeout=limit_s)
    return done.returncode, done.stdout, done.stderr


def count(db, kind, mode="test"):
    return db.one(f"select count(*) from {KINDS[kind]} where mode = %s", mode)


def ledger(stack, **filters):
    answer = Client(stack, stack.key).get(
        "/db/completeness?limit=500&" + "&".join(
            f"{name}={value}" for name, value in filters.items()))
    assert answer.status_code == 200, answer.text
    return answer.json()["data"]["days"]


def today():
    return datetime.datetime.now(datetime.timezone.utc).date().isoformat()


# --- backfill ----------------------------------------------------------------------------


def test_an_empty_database_is_filled(own, own_db):
    there = {mode: EasyPost(own, mode) for mode in ("test", "production")}
    made = [there["test"].shipment(bought=number % 3 == 0)
            for number in range(SIZE)]
    there["test"]("POST", f"/v2/shipments/{made[0]['id']}/refund")
    other = there["production"].shipment()
    status, out, error = command(own, "backfill")
    assert status == 0, error
    assert f"test shipments {SIZE}" in out and "production shipments 1" in out
    for one in made:
        row = own_db.row("shipments", one["id"])
        assert row["reference"] == one["reference"]
        assert row["tracking_code"] == one["tracking_code"]
    assert own_db.row("shipments", other["id"])["mode"] == "production"
    assert count(own_db, "tracker") == len(
        [one for one in made if one["tracking_code"]])
    assert count(own_db, "refund") == 1
    before = {kind: count(own_db, kind) for kind in KINDS}
    assert command(own, "backfill")[0] == 0  # all of it once more
    assert {kind: count(own_db, kind) for kind in KINDS} == before


def test_only_what_is_asked_for(own, own_db):
    there = EasyPost(own, "test")
    for _ in range(3):
        there.shipment(bought=True)
    assert command(own, "backfill", "--type", "address")[0] == 0
    assert (count(own_db, "address"), count(own_db, "shipment")) == (6, 0)
    assert command(own, "backfill", "--since", "2020-01-01", "--until",
                   "2020-02-01T12:00:00Z")[0] == 0
    assert count(own_db, "shipment") == 0
    assert command(own, "backfill", "--since", today(), "--type",
                   "shipment")[0] == 0
    assert count(own_db, "shipment") == 3


def test_one_that_was_cut_short_goes_on(own, own_db):
    """Killed in the middle: pages that are recorded are not read again."""
    there = EasyPost(own, "test")
    for _ in range(320):
        there("POST", "/v2/addresses", {"address": TO})
    sim = own.sim_control
    sim.fault("GET /v2/addresses*", "timeout_before", skip=3, times=1,
              seconds=60)
    words = [own.service.program("waybill"), "-c", own.conf_file, "backfill",
             "--type", "address"]
    with subprocess.Popen(words, stdout=subprocess.PIPE,
                          stderr=subprocess.PIPE) as cut:
        wait_until(lambda: count(own_db, "address") == 200, 30, "two pages")
        os.kill(cut.pid, signal.SIGKILL)
    before = len(sim.calls("/v2/addresses"))
    sim.session.delete(sim.base + "/_sim/fault", timeout=10)
    status, out, error = command(own, "backfill", "--type", "address")
    assert status == 0, error
    assert "test addresses 320" in out
    assert count(own_db, "address") == 320
    pages = [call for call in sim.calls("/v2/addresses")[before:]
             if call["method"] == "GET" and "before_id" in call["query"]]
    assert len(pages) == 2


def test_limits_of_easypost_are_obeyed(own, own_db):
    there = EasyPost(own, "test")
    for _ in range(3):
        there("POST", "/v2/addresses", {"address": TO})
    sim = own.sim_control
    sim.fault("GET /v2/addresses*", "retry_after", seconds=1, times=2)
    sim.fault("GET /v2/addresses*", "status", status=503, times=1)
    sim.fault("GET /v2/addresses*", "close_before", times=1)
    status, _, error = command(own, "backfill", "--type", "address")
    assert status == 0, error
    assert count(own_db, "address") == 3
    at = [call["at"] for call in sim.calls("/v2/addresses?page_size")
          if call["method"] == "GET"]
    assert len(at) >= 5
    gaps = [late - early for early, late in zip(at, at[1:])]
    assert sum(gap >= 0.95 for gap in gaps) >= 2, gaps


def test_the_lists_of_the_shop_pass_beside_it(own):
    """EasyPost gives five a second, whoever asks."""
    sim, key = own.sim_control, setting(own, "EASYPOST_TEST_API_KEY")
    sim._post("/settings", {"list_limit": 5})
    status, _, error = command(own, "reconcile")
    assert status == 0, error
    shop = Client(own, key)
    assert [shop.get("/v2/shipments?page_size=1").status_code
            for _ in range(2)] == [200, 200]
    at = [call["at"] for call in sim.calls("/v2/")
          if "page_size=100" in call["query"]]
    assert len(at) >= 10
    assert min(late - early for early, late in zip(at, at[3:])) > 1, at


def test_what_does_not_pass_is_told(own, own_db):
    sim = own.sim_control
    sim.fault("GET /v2/trackers*", "status", status=401, times=0)
    status, _, error = command(own, "backfill")
    assert status == 1 and "/v2/trackers with status 401" in error
    assert own_db.one("select count(*) from walks where object = 'tracker' and "
                      "finished_at is null") == 2
    assert own_db.one("select count(*) from walks where object = 'address' and "
                      "finished_at is not null") == 2
    key = setting(own, "EASYPOST_TEST_API_KEY")
    assert key not in error


@pytest.mark.parametrize("body", ["[]", "{}", "no JSON", '{"addresses":{}}',
                                  '{"addresses":[{"id":7}],"has_more":true}'])
def test_what_is_no_page_is_no_end(own, own_db, body):
    own.sim_control.fault("GET /v2/addresses*", "status", status=200,
                          body=body, times=0)
    status, _, error = command(own, "backfill", "--type", "address")
    assert status == 1 and "no page of addresses" in error
    assert own_db.one("select count(*) from walks "
                      "where finished_at is not null") == 0


@pytest.mark.parametrize("words", [
    ("backfill", "--since", "yesterday"), ("backfill", "--until", "2026-13-01"),
    ("backfill", "--type", "label"), ("backfill", "now"),
    ("reconcile", "--days", "0"), ("reconcile", "--days", "x"),
    ("reconcile", "now")])
def test_words_that_are_none(own, words):
    status, out, error = command(own, *words)
    assert (status, out) == (2, "") and "usage:" in error


def test_two_at_once(own, own_db):
    own_db("select pg_advisory_lock(hashtextextended('waybill walk', 0))")
    for words in (("backfill",), ("reconcile",)):
        status, _, error = command(own, *words)
        assert status == 3 and "another" in error
    unit = os.path.join(ROOT, "systemd", "waybill-reconcile.service")
    with open(unit, encoding="utf-8") as file:
        assert "SuccessExitStatus=3 4\n" in file.read()


def test_who_has_no_database_has_nothing_to_do_yet(own):
    """Which is no failure of the units."""
    done = {}
    for name in ("refresh", "reconcile"):
        done[name] = subprocess.run(
            [own.service.program("waybill"), "-c", own.conf_file, name],
            capture_output=True, text=True, check=False, timeout=60,
            env={**os.environ, "DATABASE_URL": ""})
        assert (done[name].returncode, done[name].stderr) == (
            4, "waybill: DATABASE_URL is not set\n")
        unit = os.path.join(ROOT, "systemd", f"waybill-{name}.service")
        with open(unit, encoding="utf-8") as file:
            assert re.search(r"(?m)^SuccessExitStatus=.*\b4$", file.read())


# --- reconcile ---------------------------------------------------------------------------


def test_what_was_hidden_delayed_and_altered(own, own_db):
    """Each is found, repaired and told; a second run finds nothing."""
    chance = random.Random(7)
    there = EasyPost(own, "test")
    made = [there.shipment() for _ in range(SIZE)]
    status, _, error = command(own, "backfill")
    assert status == 0, error
    hidden = chance.sample(made, SIZE // 10)
    rest = [one for one in made if one not in hidden]
    altered = chance.sample(rest, SIZE // 10)
    for one in hidden:  # as if it had never come
        for table in ("shipments", "documents"):
            own_db(f"delete from {table} where easypost_id = %s", one["id"])
    for one in altered:  # bought behind our back
        there("POST", f"/v2/shipments/{one['id']}/buy",
              {"rate": cheapest(one)})
    delayed = [there.shipment() for _ in range(SIZE // 10)]
    status, out, error = command(own, "reconcile", "--days", "2")
    assert status == 0, error
    repaired = len(hidden) + len(altered) + len(delayed)
    assert f"test shipments: {SIZE + len(delayed)} listed, {repaired} " in out
    rows = [row for row in ledger(own, object="shipment", mode="test")
            if row["easypost_count"]]
    assert sum(row["repaired"] for row in rows) == repaired
    assert sum(row["changed"] for row in rows) == len(altered)
    for row in rows:
        assert row["is_complete"] and row["missing"] == 0, row
        assert row["easypost_count"] == row["database_count"], row
    for one in altered:
        assert own_db.row("shipments", one["id"])["tracking_code"] == there(
            "GET", "/v2/shipments/" + one["id"])["tracking_code"]
    for one in hidden + delayed:
        assert own_db.row("shipments", one["id"])
    status, out, error = command(own, "reconcile", "--days", "2")
    assert status == 0, error
    assert f"test shipments: {SIZE + len(delayed)} listed, 0 missing" in out
    for row in ledger(own):
        assert row["repaired"] == 0, row
        # Of events that were never sent EasyPost has nothing to give.
        assert row["is_complete"] or row["object"] == "event", row


def test_deliveries_that_never_came(own, own_db):
    """The list of events tells of them; what was to be delivered is received."""
    there = EasyPost(own, "test")
    bought = there.shipment(bought=True)
    own.sim_control._post(f"/tracker/{bought['tracker']['id']}/advance",
                          {"steps": 3, "wait": False})
    sent = own.sim_control.events()
    assert sent
    assert own_db.one("select count(*) from webhook_events") == 0
    status, out, error = command(own, "reconcile", "--days", "1")
    assert status == 0, error
    received = {row[0] for row in own_db("select easypost_id from "
                                         "webhook_events")}
    told = {json.loads(one["body"])["id"] if "body" in one else one["id"]
            for one in sent}
    row = ledger(own, object="event", mode="test", date_from=today())[0]
    assert row["easypost_count"] == len(told)
    if row["missing"]:  # EasyPost keeps no payload of what it never sent
        assert set(row["missing_ids"]) == told - received
        assert not row["is_complete"] and row["error"]
    else:
        assert received == told and row["is_complete"]


def test_a_run_that_failed_is_no_success(own, own_db):
    there = EasyPost(own, "test")
    for _ in range(3):
        there.shipment()
    assert command(own, "reconcile", "--days", "1")[0] == 0
    assert all(row["is_complete"] for row in ledger(own))
    own.sim_control.fault("GET /v2/shipments*", "status", status=403, times=0)
    status, _, error = command(own, "reconcile", "--days", "1")
    assert status == 1 and "status 403" in error
    for row in ledger(own, object="shipment"):
        assert not row["is_complete"] and "status 403" in row["error"]
    assert all(row["is_complete"] for row in ledger(own, object="address"))


def test_a_run_that_was_cut_short_is_no_success(own, own_db):
    there = EasyPost(own, "test")
    for _ in range(3):
        there.shipment()
    assert command(own, "reconcile", "--days", "1")[0] == 0
    sim = own.sim_control
    sim.fault("GET /v2/trackers*", "timeout_before", times=0, seconds=60)
    before = len(sim.calls("/v2/trackers?page_size"))
    words = [own.service.program("waybill"), "-c", own.conf_file, "reconcile",
             "--days", "1"]
    with subprocess.Popen(words, stdout=subprocess.PIPE,
                          stderr=subprocess.PIPE) as cut:
        wait_until(lambda: len(sim.calls("/v2/trackers?page_size")) > before,
                   30, "the list of trackers")
        os.kill(cut.pid, signal.SIGKILL)
    text = Client(own, own.key).get("/metrics").text
    assert 'waybill_ledger_incomplete{object="tracker"} 1' in text
    assert 'waybill_ledger_incomplete{object="shipment"} 0' in text
    rows = ledger(own, object="tracker", mode="production")
    assert [(row["is_complete"], row["checked_at"]) for row in rows] \
        == [(False, None)]
    assert ledger(own, is_complete="false") == rows


def test_the_ledger_by_its_filters(own, own_db, client):
    assert command(own, "reconcile", "--days", "3")[0] == 0
    assert len(ledger(own)) == 3 * 5 * 2
    assert len(ledger(own, object="event", mode="test")) == 3
    assert len(ledger(own, date_from=today())) == 5 * 2
    assert len(ledger(own, date_to=today(), date_from=today())) == 5 * 2
    got = Client(own, own.key).get("/db/completeness?format=csv")
    assert len(got.text.splitlines()) == 1 + 3 * 5 * 2
    assert_error(client.get("/db/completeness?object=label"), 400,
                 "PARAMETER.INVALID")


def test_whatever_came_of_events_the_tables_are_the_same(own, own_db):
    """Every order of four events, with repeats and losses; then reconcile: what
    is here of a tracker is what EasyPost shows of it."""
    there, chance = EasyPost(own, "test"), random.Random(7)
    sim, client = own.sim_control, Client(own)
    orders = list(itertools.permutations(range(4))) * 2
    bought = [there.shipment(bought=True) for _ in orders]
    moment = datetime.datetime.now(datetime.timezone.utc).replace(
        microsecond=0).isoformat().replace("+00:00", "Z")
    for one in bought:
        for _ in range(4):  # all within a second: ties
            sim._post(f"/tracker/{one['tracker']['id']}/advance",
                      {"steps": 1, "wait": False, "now": moment})
    sent = {}
    for event in sim.events():
        if event["description"] == "tracker.updated":
            sent.setdefault(event["object_id"], []).append(event["body"])
    for number, (order, one) in enumerate(zip(orders, bought)):
        events = sent[one["tracker"]["id"]]
        chosen = [events[n] for n in order if n < len(events)]
        if number % 2:  # some are lost, some come twice
            chosen = [event for event in chosen if chance.random() < 0.6]
            chosen += chance.sample(chosen, len(chosen) // 2)
        for event in chosen:
            assert deliver(client, json.loads(event)).status_code == 200
    status, _, error = command(own, "reconcile", "--days", "2")
    assert status == 0, error
    for one in bought:
        shown = there("GET", "/v2/trackers/" + one["tracker"]["id"])
        row = own_db.row("trackers", shown["id"])
        assert row["status"] == shown["status"]
        assert row["updated_at"].isoformat() == shown["updated_at"].replace(
            "Z", "+00:00")
        assert len(row["tracking_details"]) == len(shown["tracking_details"])
        assert own_db("select status, message from shipment_events where "
                      "tracker_id = %s order by 1, 2", row["id"]) == sorted(
            (detail["status"], detail["message"])
            for detail in shown["tracking_details"])
        assert own_db.row("shipments", one["id"])["status"] == shown["status"]
