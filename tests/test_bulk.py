"""Many shipments in one call: each has a result of its own, none is sent twice."""

import json
import os
import signal
import threading

import pytest

from fixtures import simulator
from helpers import (Client, Database, assert_error, unique, wait_recorded,
                     wait_until, workers)
from test_simple import a_draft, calm, data_of, keyed  # noqa: F401


def drafts(count, **more):
    return [a_draft(**more) for _ in range(count)]


def priority(client):
    """What EasyPost needs to buy at once."""
    accounts = client.get("/v2/carrier_accounts").json()
    return {"service": "Priority", "carrier": "USPS", "carrier_accounts": [
        one["id"] for one in accounts if one["readable"] == "USPS"]}


def bulk(client, shipments, headers=None, **more):
    return client.post("/bulk-shipments", headers=headers or {},
                       document={"shipments": shipments} | more)


def creations(sim):
    """The calls that create a shipment, each with its body."""
    return [call for call in sim._get("/calls?body=1")
            if (call["method"], call["path"]) == ("POST", "/v2/shipments")]


def sent(sim, shipments):
    """How often each went out, in the order of the request."""
    bodies = [call["body"] for call in creations(sim)]
    return [sum(one["reference"] in body for body in bodies)
            for one in shipments]


def words(data):
    return [one["status"] for one in data["results"]]


def operation_of(client, data):
    return data_of(client.get("/db/batch-operations/" + data["operation_id"]))


def test_each_has_its_result_in_the_order_of_the_request(client, sim, db):
    shipments = drafts(40)
    data = data_of(bulk(client, shipments))
    assert words(data) == ["success"] * 40
    assert [one["index"] for one in data["results"]] == list(range(40))
    assert [one["shipment"]["reference"] for one in data["results"]] \
        == [one["reference"] for one in shipments]
    assert (data["total"], data["successful"], data["failed"]) == (40, 40, 0)
    assert sent(sim, shipments) == [1] * 40
    wait_recorded(client.stack)
    ids = [one["shipment_id"] for one in data["results"]]
    assert db.one("select count(*) from shipments"
                  " where easypost_id = any(%s)", ids) == 40
    kept = operation_of(client, data)
    assert kept["operation_type"] == "bulk_shipments"
    assert kept["status"] == "completed" and kept["mode"] == "test"
    assert (kept["total_items"], kept["processed_items"],
            kept["successful_items"], kept["failed_items"]) == (40, 40, 40, 0)
    assert [one["shipment_id"] for one in kept["items"]] == ids
    assert kept["errors"] is None and kept["completed_at"]


def test_a_shipment_stays_in_easyposts_batch(client, db):
    """A bulk call of ours is none of EasyPost's batches."""
    data = data_of(bulk(client, drafts(1)))
    assert db.one("select batch_id from shipments where easypost_id = %s",
                  data["results"][0]["shipment_id"]) is None


def test_sixteen_at_a_time(client, sim):
    """Each lane keeps its connection, so there are as many as lanes."""
    shipments = drafts(40)
    sim.fault("POST /v2/shipments", "late", times=16, seconds=0.5)
    data_of(bulk(client, shipments))
    connections = {call["connection"] for call in creations(sim)
                   if any(one["reference"] in call["body"]
                          for one in shipments)}
    assert len(connections) == 16


def test_bytes_are_passed_on_as_they_came(client, sim):
    reference = unique("ref-")
    raw = json.dumps(a_draft(reference=reference)).replace(
        "15.4", "15.40").replace('"zip": "94107"', '"zip":  "94107"')
    answer = client.post("/bulk-shipments", data='{ "shipments" : [ ' + raw
                         + ' , ' + json.dumps(a_draft()) + '\n]}')
    data = data_of(answer)
    [body] = [call["body"] for call in creations(sim)
              if reference in call["body"]]
    assert body == '{"shipment":' + raw + "}"
    assert data["results"][0]["shipment"]["parcel"]["weight"] == 15.4


def test_one_bad_item_is_refused_by_easypost_alone(client, sim):
    shipments = drafts(5)
    sim.fault("POST /v2/shipments", "status", status=422, skip=2)
    data = data_of(bulk(client, shipments))
    assert sorted(words(data)) == ["failed"] + ["success"] * 4
    [bad] = [one for one in data["results"] if one["status"] == "failed"]
    assert bad["error"]["code"] == "UNPROCESSABLE_ENTITY"
    assert bad["shipment"] is None and bad["shipment_id"] is None
    kept = operation_of(client, data)
    assert (kept["status"], kept["failed_items"]) == ("completed", 1)
    assert [one["index"] for one in kept["errors"]] == [bad["index"]]
    assert kept["items"][bad["index"]]["batch_message"] \
        == bad["error"]["message"]


@pytest.mark.parametrize("body", [
    "<html>", '{"error":{"code":"A","message":"b","errors":null}}',
    '{"error":{"code":"","message":"b","errors":[]}}'])
def test_all_are_refused(client, sim, body):
    sim.fault("POST /v2/shipments", "status", status=402, times=3, body=body)
    data = data_of(bulk(client, drafts(3)))
    assert words(data) == ["failed"] * 3
    assert data["results"][0]["error"]["code"] == "UPSTREAM.REFUSED"
    assert operation_of(client, data)["status"] == "failed"


def test_nothing_is_sent_when_one_cannot_be_taken(client, sim):
    shipments = [*drafts(2), a_draft(parcel={}), a_draft(carrier="USPS"),
                 a_draft(wrong=1)]
    error = assert_error(bulk(client, shipments), 422, "BODY.INVALID",
                         easypost=False)
    assert [one["field"] for one in error["errors"]] == [
        "shipments[2].parcel.weight", "shipments[3].carrier",
        "shipments[4].wrong"]
    assert sent(sim, shipments) == [0] * 5


@pytest.mark.parametrize("document, field", [
    ({}, "shipments"), ({"shipments": []}, "shipments"),
    ({"shipments": {}}, "shipments"), ({"shipments": [1]}, "shipments[0]"),
    ({"shipments": [[]]}, "shipments[0]"),
    ({"shipments": [{"shipment": {}}]}, "shipments[0].shipment"),
    ({"shipments": ["shp_" + "0" * 32]}, "shipments[0]"),
    ({"shipments": [a_draft()], "dry_run": 1}, "dry_run"),
    ({"shipments": [a_draft()], "all": True}, "all"),
    ({"shipments": [a_draft()] * 10001}, "shipments")])
def test_bodies_that_are_no_bulk(client, document, field):
    error = assert_error(client.post("/bulk-shipments", document=document),
                         422, "BODY.INVALID", easypost=False)
    assert error["errors"][0]["field"] == field


@pytest.mark.parametrize("body", ["", "[]", "{", '{"shipments":[{}],}',
                                  '{"shipm\\u0065nts":[]}'])
def test_bodies_that_are_no_json_of_ours(client, body):
    answer = client.post("/bulk-shipments", data=body)
    assert answer.status_code in (400, 422)


def test_names_with_escapes_cannot_be_passed_on(client):
    raw = json.dumps({"shipments": drafts(1)}).replace(
        '"shipments"', '"ship\\u006dents"')
    assert_error(client.post("/bulk-shipments", data=raw), 400,
                 "BODY.MALFORMED", easypost=False)


def test_a_dry_run_sends_nothing(client, sim, db):
    shipments, headers = drafts(3), keyed()
    before = db.one("select count(*) from batch_operations")
    data = data_of(bulk(client, shipments, headers, dry_run=True))
    assert (data["dry_run"], data["total"], data["results"],
            data["operation_id"]) == (True, 3, [], None)
    assert sent(sim, shipments) == [0] * 3
    assert db.one("select count(*) from batch_operations") == before
    data_of(bulk(client, shipments, headers))  # the key is still free


def test_easypost_wants_no_more(client, sim):
    shipments = drafts(60)
    sim.fault("POST /v2/shipments", "retry_after", skip=20, seconds=3)
    data = data_of(bulk(client, shipments))
    counts = {word: words(data).count(word) for word in set(words(data))}
    # one is refused, those under way come to their end, the others stay
    assert counts["failed"] == 1 and counts["not_sent"] >= 60 - 20 - 16
    assert data["not_sent"] == counts["not_sent"]
    assert [number for number, word in zip(sent(sim, shipments), words(data))
            if (number == 0) != (word == "not_sent")] == []
    refused = next(one for one in data["results"]
                   if one["status"] == "failed")
    assert refused["error"]["code"] == "RATE_LIMITED"
    assert next(one for one in data["results"]
                if one["status"] == "not_sent")["error"]["code"] \
        == "BULK.NOT_SENT"
    assert operation_of(client, data)["processed_items"] \
        == 60 - counts["not_sent"]


@pytest.mark.parametrize("kind", ["reset_before", "reset_after", "truncate",
                                  "garbage_http", "garbage"])
def test_what_nobody_knows_is_in_doubt_and_never_sent_again(client, sim, kind):
    shipments = drafts(4)
    sim.fault("POST /v2/shipments", kind)
    data = data_of(bulk(client, shipments))
    assert sorted(words(data)) == ["in_doubt"] + ["success"] * 3
    assert sent(sim, shipments) == [1] * 4
    [bad] = [one for one in data["results"] if one["status"] == "in_doubt"]
    assert bad["error"]["code"] == "UPSTREAM.IN_DOUBT"
    kept = operation_of(client, data)
    assert (kept["processed_items"], kept["failed_items"]) == (4, 1)


def test_a_failure_of_easyposts_own_is_in_doubt(client, sim):
    sim.fault("POST /v2/shipments", "status", status=500)
    assert sorted(words(data_of(bulk(client, drafts(2))))) \
        == ["in_doubt", "success"]


def test_a_purchase_is_made_once(client, sim):
    shipments, headers = drafts(3, **priority(client)), keyed()
    first = bulk(client, shipments, headers)
    second = bulk(client, shipments, headers)
    assert second.content == first.content
    assert second.headers["Idempotent-Replayed"] == "true"
    assert sent(sim, shipments) == [1] * 3
    other = bulk(client, shipments[:2], headers)
    assert_error(other, 422, "IDEMPOTENCY.MISMATCH", easypost=False)
    assert all(one["shipment"]["tracking_code"]
               for one in data_of(first)["results"])
    connections = [call["connection"] for call in creations(sim)
                   if any(one["reference"] in call["body"]
                          for one in shipments)]
    assert len(set(connections)) == 3  # what spends money has one of its own


def test_the_database_goes_away_in_the_middle(tmp_path):
    """What EasyPost did is kept in the spool, and told."""
    from env.stack import Stack
    with Stack(tmp_path / "away") as stack:
        client, sim = Client(stack, stack.key), simulator(stack)
        shipments, got = drafts(6), []
        sim.fault("POST /v2/shipments", "late", times=6, seconds=1)
        asking = threading.Thread(
            target=lambda: got.append(bulk(client, shipments)))
        asking.start()
        wait_until(lambda: sum(sent(sim, shipments)) == 6, 10)
        stack.postgres.stop()
        asking.join(60)
        [answer] = got
        data = data_of(answer)
        assert words(data) == ["success"] * 6
        assert answer.headers["X-Waybill-Recorded"] == "no"
        ids = [one["shipment_id"] for one in data["results"]]
        stack.postgres.start()
        look = Database(stack.database_url)
        wait_until(lambda: look.one(
            "select count(*) from shipments where easypost_id = any(%s)",
            ids) == 6, 30)
        look.close()


def test_a_worker_dies_in_the_middle(odd_stack):
    """With its key the call is not made again: labels may have been bought."""
    stack = odd_stack
    client, sim = Client(stack, stack.key), simulator(stack)
    shipments, headers = drafts(3, **priority(client)), keyed()
    sim.fault("POST /v2/shipments", "timeout_after", times=3)
    got = []
    asking = threading.Thread(
        target=lambda: got.append(bulk(client, shipments, headers)))
    asking.start()
    wait_until(lambda: sum(sent(sim, shipments)) == 3, 10)
    for pid in workers(stack, "upstream"):
        os.kill(pid, signal.SIGKILL)
    asking.join(60)
    assert got[0].status_code == 502
    sim.session.delete(sim.base + "/_sim/fault", timeout=10)
    look = Database(stack.database_url)
    look("update idempotency_claims set created_at = created_at"
                 " - interval '2 minutes' where idempotency_key = %s",
                 headers["Idempotency-Key"])
    look("update batch_operations set started_at = started_at"
                 " - interval '2 minutes' where status = 'processing'")
    assert_error(bulk(client, shipments, headers), 409,
                 "IDEMPOTENCY.IN_DOUBT", easypost=False)
    assert sent(sim, shipments) == [1] * 3
    data_of(bulk(client, drafts(1)))
    assert look.one("select count(*) from batch_operations"
                    " where status = 'interrupted'") >= 1
    assert look.one("select count(*) from batch_operations"
                    " where status = 'processing'") == 0
    look.close()
