"""Every list and every single row: what it is, and what is unchanged."""

import pytest

import documents
from helpers import deliver_recorded, unique

LISTS = {"/db/shipments": "shipments", "/db/addresses": "addresses",
         "/db/events": "events", "/db/batch-operations": "batch_operations",
         "/db/webhooks": "webhooks", "/db/user-activity": "user_activities",
         "/db/completeness": "days"}


@pytest.fixture(scope="module")
def told(stack, sim):
    """One of each, and the ids of it."""
    from helpers import Client
    client = Client(stack, stack.key)
    shipment = documents.shipment(bought=True)
    batch = documents.batch([{"id": shipment["id"], "batch_status": "created",
                              "batch_message": None}])
    tracker = {**shipment["tracker"], "tracking_details": [
        documents.detail(1, "in_transit", "On its way")]}
    event = documents.event("tracker.updated", tracker)
    for document in (shipment, batch):
        path = "/v2/" + unique("told_")
        sim.canned("POST", path, document)
        assert client.post(path).status_code == 200
    deliver_recorded(client, event)
    return {"/db/shipments": shipment["id"], "/db/webhooks": event["id"],
            "/db/addresses": shipment["to_address"]["id"],
            "/db/batch-operations": batch["id"],
            "code": tracker["tracking_code"]}


@pytest.mark.parametrize("path", LISTS)
def test_a_list_is_whole_or_unchanged(client, told, path):
    got = client.get(path + "?limit=1&mode=test" if path in (
        "/db/shipments", "/db/addresses") else path + "?limit=1&date_to=2000-01-01"
                     if path == "/db/user-activity" else path + "?limit=1")
    assert got.status_code == 200, got.text
    assert LISTS[path] in got.json()["data"]
    again = client.get(got.request.path_url,
                       headers={"If-None-Match": got.headers["ETag"]})
    assert again.status_code in (200, 304)
    if again.headers["ETag"] == got.headers["ETag"]:
        assert (again.status_code, again.content) == (304, b"")


@pytest.mark.parametrize("path", [
    "/db/shipments", "/db/addresses", "/db/batch-operations", "/db/webhooks"])
def test_one_is_found_by_its_names_or_unchanged(client, told, path):
    got = client.get(f"{path}/{told[path]}")
    assert got.status_code == 200, got.text
    own = got.json()["data"]
    assert told[path] in (own.get("easypost_id"), own.get("batch_id"))
    assert client.get(f"{path}/{own['id']}").json()["data"] == own
    again = client.get(f"{path}/{told[path]}",
                       headers={"If-None-Match": got.headers["ETag"]})
    assert (again.status_code, again.content) == (304, b"")


def test_codes_are_tracked_in_their_order(client, told):
    got = client.post("/shipments/batch-track", document={
        "tracking_codes": ["NOPE1234", told["code"], told["code"]]})
    assert got.status_code == 200, got.text
    rows = got.json()["data"]["trackings"]
    assert [row["found"] for row in rows] == [False, True, True]
    assert rows[1]["latest_event"]["status"] == "in_transit"


def test_an_export_holds_what_the_list_holds(client, told):
    rows = client.get("/db/shipments?limit=500").json()["data"]["shipments"]
    lines = client.get("/db/shipments?format=ndjson").text.splitlines()
    assert len(lines) >= len(rows) > 0
    table = client.get("/db/shipments?format=csv").text.split("\r\n")
    assert table[0].startswith("id,easypost_id,tracking_code")
