"""The simulator's trackers, events, deliveries, faults and canned answers."""

import base64
import gzip
import hashlib
import hmac
import http.client
import json
import re
import time
import unicodedata

import pytest

from simulated import (  # noqa: F401
    PARCEL, api, keys, port, receiver, wait_until)

EVENT = ("description,mode,previous_attributes,created_at,pending_urls,completed_urls,"
         "updated_at,id,user_id,status,object")


# -- trackers ------------------------------------------------------------------


@pytest.mark.parametrize("code, status, details", [
    ("EZ1000000001", "pre_transit", 2), ("EZ2000000002", "in_transit", 6),
    ("EZ3000000003", "out_for_delivery", 7), ("EZ4000000004", "delivered", 8),
    ("EZ5000000005", "return_to_sender", 7), ("EZ6000000006", "failure", 8),
    ("EZ7000000007", "unknown", 0)])
def test_test_codes(api, code, status, details):
    made = api.post("/v2/trackers", {"tracker": {"tracking_code": code,
                                                 "carrier": "USPS"}})
    assert (made.status, made.json["status"]) == (201, status)
    times = [one["datetime"] for one in made.json["tracking_details"]]
    assert len(times) == details and times == sorted(times), "oldest first"
    again = api.post("/v2/trackers", {"tracker": {"tracking_code": code,
                                                  "carrier": "USPS"}})
    assert (again.status, again.json) == (200, made.json)
    kinds = [one["description"] for one in api.sim("/events")]
    assert kinds == ["tracker.created", "tracker.updated"]
    slug = made.json["public_url"].rpartition("/")[2]
    assert base64.b64decode(slug + "=" * (-len(slug) % 4)) \
        == f"v1:{made.json['id']}".encode()


def test_other_codes_fail_in_test_mode(api):
    made = api.post("/v2/trackers", {"tracker": {"tracking_code": "9" * 22}}).json
    assert made["status"] == "error"
    assert made["tracking_details"][0]["source"] == "ProcessingError"


def test_the_tracker_of_a_label_is_found_again(api):
    made = api.bought()
    answer = api.post("/v2/trackers", {"tracker": {
        "tracking_code": made["tracking_code"]}})
    assert (answer.status, answer.json["id"]) == (200, made["tracker"]["id"])


def test_a_life_by_hand(api):
    made = api.bought()
    key = made["tracker"]["id"]
    seen = ["unknown"]
    while True:
        step = api.sim(f"/tracker/{key}/advance", {})
        seen.append(step["status"])
        if not step["remaining"]:
            break
    assert seen[1] == "pre_transit"
    events = [json.loads(one["body"]) for one in api.sim("/events")
              if one["description"] == "tracker.updated"]
    assert [one["result"]["status"] for one in events] == seen[1:]
    assert [one["previous_attributes"]["status"] for one in events] == seen[:-1]
    lengths = [len(one["result"]["tracking_details"]) for one in events]
    assert lengths == list(range(1, len(seen))), "each has the whole history"
    times = [one["datetime"] for one in events[-1]["result"]["tracking_details"]]
    assert times == sorted(set(times)), "no two scans share a second"
    shipment = api.get(f"/v2/shipments/{made['id']}").json
    assert shipment["status"] == shipment["tracker"]["status"] == seen[-1]


@pytest.mark.parametrize("end", ["delivered", "return_to_sender", "failure",
                                 "available_for_pickup", "cancelled", "error"])
def test_every_end_can_be_had(api, end):
    key = api.bought()["tracker"]["id"]
    api.sim(f"/tracker/{key}/advance", {"to": "in_transit"})
    assert api.sim(f"/tracker/{key}/advance", {"to": end})["status"] == end
    assert api.sim(f"/state/{key}")["status"] == end


def test_a_test_code_can_be_pushed(api):
    key = api.post("/v2/trackers", {"tracker": {
        "tracking_code": "EZ1000000001"}}).json["id"]
    api.sim(f"/tracker/{key}/advance", {"to": "delivered"})
    assert len(api.get(f"/v2/trackers/{key}").json["tracking_details"]) == 8


def test_lives_by_the_clock(api):
    api.sim("/clock", {"now": "2026-03-02T15:00:00Z"})
    shops = [api.bought() for _ in range(12)]
    assert {one["status"] for one in shops} == {"unknown"}
    api.sim("/clock", {"now": "2026-03-20T15:00:00Z"})
    states = [api.get(f"/v2/shipments/{one['id']}").json["status"] for one in shops]
    assert states.count("delivered") >= 8
    for event in api.sim("/events"):
        body = json.loads(event["body"])
        if body["description"] == "tracker.updated":
            details = body["result"]["tracking_details"]
            assert body["created_at"][:19] == details[-1]["datetime"][:19]


def test_the_clock_steps_with_each_call(api):
    api.sim("/clock", {"now": "2026-03-02T15:00:00Z", "step": 60})
    times = [api.post("/v2/parcels", {"parcel": PARCEL}).json["created_at"]
             for _ in range(3)]
    assert times == ["2026-03-02T15:01:00Z", "2026-03-02T15:02:00Z",
                     "2026-03-02T15:03:00Z"]
    api.sim("/clock", {"now": None})
    assert api.post("/v2/parcels", {"parcel": PARCEL}).json["created_at"] > "2026-03-03"


# -- events and webhooks -------------------------------------------------------


def test_events_show_less_than_deliveries(api):
    api.bought()
    page = api.get("/v2/events").json
    assert keys(page["events"][0]) == "description,id,user_id,status,created_at,mode,object"
    one = api.get(f"/v2/events/{page['events'][0]['id']}").json
    assert keys(one) == EVENT
    assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.000Z", one["created_at"])
    assert keys(json.loads(api.sim("/events")[0]["body"])) == EVENT + ",result"


@pytest.mark.parametrize("secret", ["plain", "s\u00e9cret", "se\u0301cret"])
def test_signature_is_over_the_raw_bytes_with_a_decomposed_secret(api, receiver, secret):
    hook = api.post("/v2/webhooks", {"webhook": {
        "url": receiver.url, "webhook_secret": secret,
        "custom_headers": [{"name": "X-Shop", "value": "one"}]}})
    assert hook.status == 201 and "secret" not in hook.body.decode()
    api.bought()
    assert api.sim("/idle", {})["idle"]
    _, headers, body = receiver.got[0]
    key = unicodedata.normalize("NFKD", secret).encode()
    assert headers["X-Hmac-Signature"] == "hmac-sha256-hex=" \
        + hmac.new(key, body, hashlib.sha256).hexdigest()
    second = f"{headers['X-Timestamp']}POST{headers['X-Path']}".encode() + body
    assert headers["X-Hmac-Signature-V2"] == "hmac-sha256-hex=" \
        + hmac.new(key, second, hashlib.sha256).hexdigest()
    assert headers["X-Shop"] == "one"
    assert headers["Content-Type"] == "application/json"
    assert json.loads(body)["pending_urls"] == [receiver.url]
    event = api.get(f"/v2/events/{json.loads(body)['id']}").json
    assert (event["status"], event["completed_urls"]) == ("completed", [receiver.url])
    payloads = api.get(f"/v2/events/{event['id']}/payloads").json["payloads"]
    assert payloads[0]["request_body"].encode() == body
    missing = api.get(f"/v2/events/{event['id']}/payloads/payload_1")
    assert (missing.status, missing.code) == (404, "PAYLOAD.NOT_FOUND")


def test_no_secret_no_signature_and_basic_auth_from_the_url(api, receiver):
    api.post("/v2/webhooks", {"webhook": {
        "url": receiver.url.replace("//", "//shop:pass@")}})
    api.bought()
    api.sim("/idle", {})
    _, headers, _ = receiver.got[0]
    assert "X-Hmac-Signature" not in headers
    assert headers["Authorization"] == "Basic " + base64.b64encode(b"shop:pass").decode()


def test_retries_until_it_is_taken(api, receiver):
    api.sim("/webhook", {"url": receiver.url, "secret": "s"})
    receiver.script += [500, 503]
    api.bought()
    assert api.sim("/idle", {})["idle"]
    assert len(receiver.got) == 3
    assert len({body for _, _, body in receiver.got}) == 1, "the very same bytes"
    event = api.sim("/events")[0]
    assert (event["status"], event["attempts"]) == ("completed", 3)


def test_giving_up_and_being_disabled(api, receiver):
    hook = api.post("/v2/webhooks", {"webhook": {"url": receiver.url}}).json
    api.sim("/settings", {"retries": [0.01], "disable_after": 1})
    receiver.script += [500, 500]
    api.bought()
    api.sim("/idle", {})
    assert api.sim("/events")[0]["status"] == "failed"
    assert api.get(f"/v2/webhooks/{hook['id']}").json["disabled_at"]
    again = api("PUT", f"/v2/webhooks/{hook['id']}", {})
    assert (again.status, again.json["disabled_at"]) == (201, None)


def test_deliveries_on_command(api, receiver):
    api.sim("/settings", {"auto_deliver": False})
    api.sim("/webhook", {"url": receiver.url, "secret": "s"})
    key = api.bought()["tracker"]["id"]
    api.sim(f"/tracker/{key}/advance", {"steps": 4})
    assert receiver.got == []
    ids = [one["id"] for one in api.sim("/events")]

    def delivered(**order):
        receiver.got.clear()
        assert api.sim("/deliver", order)["failed"] == 0
        return [one["id"] for one in receiver.events]

    assert delivered(event_id="all") == ids
    assert delivered(event_id="all", order="reverse") == ids[::-1]
    mixed = delivered(event_id="all", times=3, order="shuffle", seed=5)
    assert sorted(mixed) == sorted(ids * 3) and mixed != sorted(mixed)
    assert mixed == delivered(event_id="all", times=3, order="shuffle", seed=5)
    assert delivered(event_id=ids[2]) == [ids[2]]
    assert delivered(event_id=[ids[3], ids[0]]) == [ids[3], ids[0]]
    assert delivered(object_id=key, parallel=3) != []


def test_bad_deliveries_on_command(api, receiver):
    api.sim("/settings", {"auto_deliver": False})
    api.sim("/webhook", {"url": receiver.url, "secret": "s"})
    key = api.sim("/emit", {"description": "thing.happened",
                            "result": {"id": "x_1", "weight": 136.0}})["id"]
    for kind in ("valid", "none", "wrong", "bare"):
        api.sim("/deliver", {"event_id": key, "signature": kind})
    signs = [headers.get("X-Hmac-Signature") for _, headers, _ in receiver.got]
    assert signs[1] is None and signs[2].endswith("=" + "0" * 64)
    assert signs[0] == "hmac-sha256-hex=" + signs[3]
    assert b'"weight":136.0' in receiver.got[0][2]
    api.sim("/deliver", {"body": "not json", "headers": {"X-Extra": "1"}})
    assert receiver.got[-1][2] == b"not json" and receiver.got[-1][1]["X-Extra"] == "1"


def test_the_newest_event_is_sent_again(api, receiver):
    api.sim("/settings", {"auto_deliver": False})
    api.sim("/webhook", {"url": receiver.url, "secret": "s"})
    key = api.bought()["tracker"]["id"]
    api.sim(f"/tracker/{key}/advance", {})
    assert api.post("/v2/events", {"result_id": key}).status == 201
    wait_until(lambda: receiver.got)
    assert receiver.events[0]["description"] == "tracker.updated"


# -- faults, canned answers, log -----------------------------------------------


def fault(api, kind, **more):
    api.sim("/fault", {"match": "POST /v2/parcels", "kind": kind, **more})


def parcels(api):
    return api.sim("/stats")["objects"]["test"].get("prcl", 0)


@pytest.mark.parametrize("kind, is_done", [
    ("timeout_before", False), ("timeout_after", True), ("reset_before", False),
    ("reset_after", True), ("close_before", False), ("close_after", True),
    ("garbage_http", False), ("truncate", True)])
def test_faults_of_the_connection(api, kind, is_done):
    fault(api, kind, seconds=0.05)
    with pytest.raises((OSError, http.client.HTTPException)):
        api.post("/v2/parcels", {"parcel": PARCEL})
    assert parcels(api) == int(is_done)
    assert api.post("/v2/parcels", {"parcel": PARCEL}).status == 201, "once only"
    log = api.sim("/calls?match=POST%20/v2/parcels")
    assert [one["fault"] for one in log] == [kind, None]


def test_faults_of_the_answer(api):
    fault(api, "status", status=503)
    answer = api.post("/v2/parcels", {"parcel": PARCEL})
    assert (answer.status, answer.code) == (503, "SERVICE_UNAVAILABLE")
    fault(api, "retry_after", seconds=7)
    answer = api.post("/v2/parcels", {"parcel": PARCEL})
    assert (answer.status, answer.headers["retry-after"]) == (429, "7")
    fault(api, "garbage")
    answer = api.post("/v2/parcels", {"parcel": PARCEL})
    assert answer.status == 200 and answer.body.startswith(b"<html>")
    assert parcels(api) == 0
    fault(api, "gzip")
    answer = api.post("/v2/parcels", {"parcel": PARCEL})
    assert answer.headers["content-encoding"] == "gzip"
    assert json.loads(gzip.decompress(answer.body))["object"] == "Parcel"
    fault(api, "bad_gzip")
    answer = api.post("/v2/parcels", {"parcel": PARCEL})
    assert answer.headers["content-encoding"] == "gzip" and answer.json
    fault(api, "chunked")
    answer = api.post("/v2/parcels", {"parcel": PARCEL})
    assert answer.headers["transfer-encoding"] == "chunked"
    assert answer.json["object"] == "Parcel"
    assert parcels(api) == 3


@pytest.mark.parametrize("kind", ["slow", "late"])
def test_faults_of_time(api, kind):
    fault(api, kind, seconds=0.3)
    began = time.monotonic()
    assert api.post("/v2/parcels", {"parcel": PARCEL}).status == 201
    assert 0.25 < time.monotonic() - began < 2


def test_faults_match_count_and_go(api):
    api.sim("/fault", {"match": "POST /v2/shipments/*/buy", "kind": "status", "skip": 1,
                       "times": 2})
    made = api.shipment()
    path = f"/v2/shipments/{made['id']}/buy"
    assert [api.post(path, {}).status for _ in range(4)] == [422, 500, 500, 422]
    fault(api, "status", times=0)
    assert [api.post("/v2/parcels").status for _ in range(3)] == [500] * 3
    assert api.sim("/fault")[0]["used"] == 3
    api.sim("/fault", method="DELETE")
    assert api.post("/v2/parcels").status == 422


def test_canned_answers_are_exact(api):
    body = '{"weight":136.0, "x" : "é"}\n'
    api.sim("/canned", {"method": "GET", "path": "/v2/shipments",
                        "query": "page_size=5&a%5B%5D=1", "status": 207,
                        "headers": {"Content-Type": "text/odd", "X-EP-Thing": "1"},
                        "body": body})
    answer = api.get("/v2/shipments?page_size=5&a%5B%5D=1",
                     headers={"Accept-Encoding": "gzip"})
    assert (answer.status, answer.body) == (207, body.encode())
    assert answer.headers["content-type"] == "text/odd"
    assert set(answer.headers) == {"content-type", "x-ep-thing", "content-length"}
    assert api.get("/v2/shipments?page_size=6").status == 200
    api.sim("/canned", {"path": "/v2/x", "body_base64": "/wA=", "times": 1})
    assert api.get("/v2/x").body == b"\xff\x00"
    assert api.get("/v2/x").status == 404


def test_the_log_of_calls(api):
    api.post("/v2/parcels?a=1", {"parcel": PARCEL}, headers={"X-Request-Id": "r1"})
    api.get("/_sim/stats")
    calls = api.sim("/calls?body=1")
    assert len(calls) == 1, "control routes are not in it"
    call = calls[0]
    assert (call["method"], call["path"], call["query"], call["status"]) \
        == ("POST", "/v2/parcels", "a=1", 201)
    assert call["headers"]["x-request-id"] == "r1"
    sent = json.dumps({"parcel": PARCEL})
    assert call["body"] == sent
    assert call["body_sha256"] == hashlib.sha256(sent.encode()).hexdigest()
    assert isinstance(call["connection"], int) and abs(call["at"] - time.time()) < 60


def test_latency_as_measured(api):
    api.sim("/settings", {"latency": "measured"})
    began = time.monotonic()
    answer = api.post("/v2/parcels", {"parcel": PARCEL})
    assert time.monotonic() - began >= 0.018
    assert float(answer.headers["x-runtime"]) >= 0.018
