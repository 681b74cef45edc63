"""Bulk calls that are too large to be done while the client waits: taken for good,
worked off behind the answer, each label bought once, whatever dies meanwhile.

TEST_BULK=2000 makes the largest of them so large.
"""

import collections
import json
import os
import random
import re
import signal
import time

import pytest

from env.nginx import free_port
from env.process import Failed
from env.stack import Stack
from fixtures import simulator
from helpers import (Client, Database, assert_error, changed_settings, parallel, unique,
                     wait_recorded, wait_until, workers)
from test_bulk import bulk, drafts, priority
from test_simple import a_draft, data_of, keyed

LARGE = int(os.environ.get("TEST_BULK", "250"))
LONG = 60 + LARGE / 4  # seconds, on a machine with other work


@pytest.fixture(scope="module")
def own(tmp_path_factory):
    with Stack(tmp_path_factory.mktemp("bulk"), conf={
            "WORKERS": "6", "WORKERS_OVERFLOW": "0"}) as one:
        yield one


@pytest.fixture(scope="module")
def sim(own):
    return simulator(own)


@pytest.fixture
def client(own):
    return Client(own, own.key, timeout=60)


@pytest.fixture
def look(own):
    found = Database(own.database_url)
    yield found
    found.close()


@pytest.fixture(autouse=True)
def calm(sim, look):
    yield
    sim.session.delete(sim.base + "/_sim/fault", timeout=10)
    look("update batch_operations set wait_until = null, status = 'cancelled'"
         " where wait_until is not null")


def put_off(client, shipments, headers=None):
    """Where it is now; taken."""
    answer = bulk(client, shipments, headers)
    data = data_of(answer, 202)
    assert (data["status"], data["total"]) == ("processing", len(shipments))
    assert answer.headers["Location"] \
        == "/db/batch-operations/" + data["operation_id"]
    return answer.headers["Location"]


def counts(sim):
    """How often each reference went out."""
    found = collections.Counter()
    for call in sim._get("/calls?body=1"):
        if (call["method"], call["path"]) == ("POST", "/v2/shipments"):
            found[json.loads(call["body"])["shipment"].get("reference")] += 1
    return found


def sent(sim, shipments):
    found = counts(sim)
    return [found[one["reference"]] for one in shipments]


def ended(client, place, limit=LONG):
    def is_over():
        return data_of(client.get(place))["completed_at"] is not None
    wait_until(is_over, limit, "the end of the bulk call")
    return data_of(client.get(place))


def items_of(client, place):
    """All of them, page by page."""
    path = "/db/bulk-items?limit=70&batch_id=" + place.rpartition("/")[2]
    found, after = [], ""
    while True:
        page = data_of(client.get(path + after))
        found += page["bulk_items"]
        if not page["pagination"]["has_more"]:
            assert page["pagination"]["next"] is None
            return found
        after = "&after=" + page["pagination"]["next"]


def make_old(look, place):
    """As if the minute were over that calls in doubt may take; a pause stays."""
    look("select from batch_operations where batch_id = %(batch)s for update;"
         "with old as (update bulk_items"
         " set sent_at = sent_at - interval '61 seconds'"
         " where batch_id = %(batch)s and state = 'in_doubt'"
         " and looked_at is null and sent_at > now() - interval '60 seconds'"
         " returning 1)"
         "update batch_operations set wait_until = now()"
         " where batch_id = %(batch)s and wait_until is not null"
         " and exists (select from old)",
         {"batch": place.rpartition("/")[2]})


def words(items):
    return collections.Counter(one["status"] for one in items)


def test_each_becomes_a_shipment(client, sim, look, own):
    """Asked for twice with one key: taken once, told the same."""
    shipments, headers = drafts(110), keyed()
    place = put_off(client, shipments, headers)
    again = bulk(client, shipments, headers)
    assert (again.status_code, again.headers["Location"],
            again.headers["Idempotent-Replayed"]) == (202, place, "true")
    data = ended(client, place)
    wait_recorded(own)
    items = items_of(client, place)
    assert words(items) == {"success": 110}
    assert [one["index"] for one in items] == list(range(110))
    assert [one["reference"] for one in items] \
        == [one["reference"] for one in shipments]
    assert sent(sim, shipments) == [1] * 110
    assert {row[0]: row[1] for row in look(
        "select reference, easypost_id from shipments"
        " where easypost_id = any(%s)",
        [one["shipment_id"] for one in items])} \
        == {one["reference"]: one["shipment_id"] for one in items}
    data = data_of(client.get(place))
    assert (data["status"], data["mode"], data["errors"]) \
        == ("completed", "test", None)
    assert (data["processed_items"], data["successful_items"],
            data["failed_items"]) == (110, 110, 0)
    assert [one["shipment_id"] for one in data["items"]] \
        == [one["shipment_id"] for one in items]
    assert data["avg_item_time"] > 0 and data["items_are_more"] is False
    # What it was made of stands in the shipment; it is not kept twice.
    assert look.one("select count(request) from bulk_items"
                    " where batch_id = %s", data["batch_id"]) == 0
    rows = client.get("/db/bulk-items?format=csv&batch_id="
                      + data["batch_id"]).text.splitlines()
    assert len(rows) == 111
    path = "/db/bulk-items?limit=3&batch_id=" + data["batch_id"]
    tag = client.get(path).headers["ETag"]
    assert client.get(path, headers={"If-None-Match": tag}).status_code == 304
    assert_error(client.post(place + "/cancel"), 409, "CONFLICT",
                 easypost=False)


def test_whoever_dies(client, sim, look, own):
    """Workers, supervisor and jobs are killed, the database goes away: no label is
    bought twice, and nothing gets lost."""
    half = LARGE // 2
    shipments = drafts(half, **priority(client)) + drafts(LARGE - half)
    random.shuffle(shipments)
    sim.fault("POST /v2/shipments", "late", times=0, seconds=0.1)
    place = put_off(client, shipments, keyed())
    begun = time.monotonic()

    def state():
        return look.one("select count(*) filter (where state in ('pending',"
                        " 'sending')) from bulk_items where batch_id = %s",
                        place.rpartition("/")[2])

    def wait_for(left):
        wait_until(lambda: state() <= left, LONG, "some of the items")

    for turn in range(4):
        wait_for(LARGE - (turn + 1) * LARGE // 7)
        time_to_die = random.random() * 0.1
        wait_until(lambda d=time.monotonic() + time_to_die:
                   time.monotonic() >= d, 5)
        for pid in workers(own, "upstream"):
            os.kill(pid, signal.SIGKILL)
    for part in ("upstream", "jobs"):
        os.kill(own.pids[part], signal.SIGKILL)
        wait_until(lambda part=part: part not in own.pids, 20)
        try:
            own.start_pool(part)
        except Failed:
            own.restart(part)
    wait_for(LARGE // 5)
    look.close()
    own.postgres.stop()
    own.postgres.start()
    look.__init__(own.database_url)
    sim.session.delete(sim.base + "/_sim/fault", timeout=10)

    def is_over():
        make_old(look, place)
        return data_of(client.get(place))["completed_at"] is not None
    wait_until(is_over, LONG, "the end of the bulk call")
    wait_recorded(own)
    items = items_of(client, place)
    found = words(items)
    print(f"{LARGE} items in {time.monotonic() - begun:.1f} s: {found}")
    assert found["success"] + found["in_doubt"] == LARGE
    by_reference = dict(zip((one["reference"] for one in shipments), items))
    for shipment, number in zip(shipments, sent(sim, shipments)):
        item = by_reference[shipment["reference"]]
        assert item["reference"] == shipment["reference"]
        assert number == 1 or (number == 0 and item["status"] == "in_doubt"
                               and "service" in shipment), (item, number)
        # what costs nothing, and what was bought, is known in the end
        assert item["status"] == "success" or number == 0, (item, number)
    ids = [one["shipment_id"] for one in items if one["shipment_id"]]
    assert len(set(ids)) == found["success"]
    assert look.one("select count(*) from shipments"
                    " where easypost_id = any(%s)", ids) == len(ids)
    data = data_of(client.get(place))
    assert (data["successful_items"], data["failed_items"]) \
        == (found["success"], found["in_doubt"])


def test_easypost_wants_a_pause_and_refuses_one(client, own, sim, look):
    """429 keeps all of it back for as long as Retry-After says."""
    shipments = drafts(101)
    sim.fault("POST /v2/shipments", "status", status=422)
    sim.fault("POST /v2/shipments", "retry_after", skip=20, seconds=3)
    place = put_off(client, shipments)
    batch = place.rpartition("/")[2]
    told = own.waybill("status")
    assert re.search(r"^bulk calls +items to be sent \d+$", told, re.M), told
    data = ended(client, place)
    items = items_of(client, place)
    assert words(items) == {"success": 100, "failed": 1}
    # between two rounds nothing was sent for as long as EasyPost wanted
    assert look.one(
        "select max(pause) > interval '2.9 seconds' from (select sent_at"
        " - lag(sent_at) over (order by sent_at) as pause from bulk_items"
        " where batch_id = %s) p", batch)
    [bad] = [one for one in items if one["status"] == "failed"]
    assert bad["error"]["code"] == "UNPROCESSABLE_ENTITY"
    assert data["errors"] == [{"index": bad["index"], "status": "failed",
                               "message": bad["error"]["message"]}]
    assert (data["status"], data["failed_items"]) == ("completed", 1)
    # refused is not executed: that one went out once more
    assert sorted(sent(sim, shipments)) == [1] * 100 + [2]


def test_what_nobody_knows_is_looked_for(client, sim, look):
    """By its reference; without one it stays in doubt, and is not sent again."""
    shipments = drafts(101, **priority(client))
    shipments[100]["reference"] = ""
    sim.fault("POST /v2/shipments", "reset_after", times=3)
    sim.fault("POST /v2/shipments", "reset_after", skip=97, times=1)
    place = put_off(client, shipments)
    batch = place.rpartition("/")[2]
    wait_until(lambda: look.one(
        "select count(*) from bulk_items where batch_id = %s and state in"
        " ('pending', 'sending')", batch) == 0, LONG, "all that can be sent")
    assert words(items_of(client, place)) == {"success": 97, "in_doubt": 4}
    assert data_of(client.get(place))["completed_at"] is None
    make_old(look, place)
    data = ended(client, place)
    items = items_of(client, place)
    assert words(items) == {"success": 100, "in_doubt": 1}
    assert items[100]["error"]["code"] == "UPSTREAM.IN_DOUBT"
    assert (data["failed_items"], data["errors"][0]["index"]) == (1, 100)
    assert sent(sim, shipments) == [1] * 101
    assert all(one["tracking_code"] for one in items[:100])


def test_a_bulk_call_is_cancelled(client, own, sim, look):
    """What is under way comes to its end, the rest is never sent."""
    shipments = drafts(120)
    sim.fault("POST /v2/shipments", "late", times=0, seconds=0.3)
    place = put_off(client, shipments)
    wait_until(lambda: sum(sent(sim, shipments)) > 0, LONG, "the first calls")
    other = Client(own, own.key_production)
    assert_error(other.post(place + "/cancel"), 403, "MODE.FOREIGN",
                 easypost=False)
    assert_error(client.post("/db/batch-operations/bulk_1234/cancel"), 404,
                 "NOT_FOUND", easypost=False)
    stopped = data_of(client.post(place + "/cancel"))
    assert stopped["state"] == "cancelled" and stopped["not_sent"] >= 72
    data = ended(client, place)
    assert data_of(client.post(place + "/cancel"))["not_sent"] == 0
    items = items_of(client, place)
    assert words(items)["not_sent"] == stopped["not_sent"]
    assert words(items)["success"] == 120 - stopped["not_sent"]
    assert items[119]["error"]["code"] == "BULK.NOT_SENT"
    assert data["status"] == "cancelled" and len(data["errors"]) <= 100
    assert [number for number, one in zip(sent(sim, shipments), items)
            if number != (one["status"] == "success")] == []
    listed = data_of(client.get("/db/bulk-items?status=not_sent&batch_id="
                                + data["batch_id"]))
    assert listed["pagination"]["total"] == stopped["not_sent"]


def test_the_key_is_revoked(own, sim, look):
    name = unique("bulk-")
    client = Client(own, own.service.make_key(name, "test"), timeout=60)
    sim.fault("POST /v2/shipments", "late", times=0, seconds=0.3)
    shipments = drafts(101)
    place = put_off(client, shipments)
    wait_until(lambda: sum(sent(sim, shipments)) > 0, LONG, "the first calls")
    look("update api_keys set revoked_at = now() where name = %s", name)
    data = ended(Client(own, own.key), place)
    items = items_of(Client(own, own.key), place)
    assert data["status"] == "cancelled" and words(items)["not_sent"] >= 53
    assert "revoked" in items[100]["error"]["message"]
    assert [number for number, one in zip(sent(sim, shipments), items)
            if number != (one["status"] == "success")] == []


def test_easypost_cannot_be_reached(client, own, look):
    """It is waited for, and nothing is in doubt."""
    with changed_settings(own, ["upstream"], {
            "EASYPOST_API_BASE": f"http://127.0.0.1:{free_port()}"}):
        place = put_off(client, drafts(101))
        batch = place.rpartition("/")[2]
        wait_until(lambda: look.one(
            "select wait_until > now() + interval '5 seconds'"
            " from batch_operations where batch_id = %s", batch), LONG,
            "a pause")
        wait_until(lambda: words(items_of(client, place)) == {"pending": 101},
                   LONG, "all to be sent again")
        data_of(client.post(place + "/cancel"))
        assert ended(client, place)["processed_items"] == 0


def test_two_at_once_and_sixteen_calls(client, sim):
    """Each call makes progress; never more than sixteen are under way."""
    both = [drafts(101), drafts(101)]
    sim.fault("POST /v2/shipments", "late", times=0, seconds=0.3)
    places = parallel(2, lambda i: put_off(
        Client(client.stack, client.stack.key, timeout=60), both[i]))
    wait_until(lambda: all(sum(sent(sim, one)) > 0 for one in both), LONG,
               "progress of both")
    for place in places:
        data_of(client.post(place + "/cancel"))
    for place, shipments in zip(places, both):
        ended(client, place)
        assert max(sent(sim, shipments)) == 1


def test_what_cannot_be_taken_is_named(client, sim, look):
    before = look.one("select count(*) from batch_operations")
    shipments = drafts(150)
    shipments[137] = a_draft(to_address={"country": "Germany"})
    shipments[149] = a_draft(wrong=1)
    error = assert_error(bulk(client, shipments), 422, "BODY.INVALID",
                         easypost=False)
    assert [one["field"] for one in error["errors"]] == [
        "shipments[137].to_address.country", "shipments[149].wrong"]
    assert_error(bulk(client, [a_draft()] * 10001), 422, "BODY.INVALID",
                 easypost=False)
    data = data_of(bulk(client, drafts(10000), dry_run=True))
    assert (data["dry_run"], data["total"], data["operation_id"]) \
        == (True, 10000, None)
    assert look.one("select count(*) from batch_operations") == before
    assert sum(sent(sim, shipments)) == 0


def test_without_the_database_nothing_is_taken(client, own, sim):
    shipments = drafts(101)
    data_of(client.get("/shipments?limit=1"))  # the key is known for a minute
    own.postgres.freeze()
    try:
        answer = bulk(client, shipments)
    finally:
        own.postgres.thaw()
    assert_error(answer, 503, easypost=False)
    assert sum(sent(sim, shipments)) == 0
