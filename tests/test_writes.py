"""What people write: their own shipments and addresses."""

import pytest

from helpers import Client, assert_error, deliver, parallel, unique
import documents

ADDRESS = {"name": "Ada Lovelace", "street1": "417 Montgomery St",
           "city": "San Francisco", "state": "CA", "zip": "94104",
           "country": "US"}


def shipment(**fields):
    return {"reference": unique("own-"), "carrier": "USPS",
            "service": "Priority", "total_cost": "6.07", "currency": "USD",
            "to_address": ADDRESS, "from_address": ADDRESS,
            "parcel": {"weight": 12.5}, **fields}


def added(client, document, path="/db/shipments"):
    got = client.post(path, document=document)
    assert got.status_code == 201, got.text
    return got.json()["data"]


def wrong(client, document, path="/db/shipments", method="POST"):
    """The fields that a refusal names."""
    error = assert_error(client(method, path, document=document), 422,
                         "BODY.INVALID", easypost=False)
    return [one["field"] for one in error["errors"]]


def test_one_is_as_reads_show_it(client):
    sent = shipment(extra_metadata={"gift": True})
    got = client.post("/db/shipments", document=sent)
    assert got.status_code == 201, got.text
    data = got.json()["data"]
    assert got.headers["Location"] == "/db/shipments/" + data["id"]
    assert client.get(got.headers["Location"]).json()["data"] == data
    for name in ("reference", "carrier", "total_cost", "extra_metadata"):
        assert data[name] == sent[name]
    assert data["to_address"]["city"] == "San Francisco"
    assert data["parcel"]["weight"] == 12.5
    listed = client.get("/db/shipments?reference=" + sent["reference"])
    assert [row["id"] for row in listed.json()["data"]["shipments"]] \
        == [data["id"]]


def test_a_thousand_in_their_order(client, db):
    rows = [shipment() for _ in range(1000)]
    data = added(client, rows)["shipments"]
    assert [row["reference"] for row in data] \
        == [row["reference"] for row in rows]
    assert db.one("select count(*) from shipments where reference = any(%s)",
                  [row["reference"] for row in rows]) == 1000


def test_all_of_it_or_nothing(client, db):
    rows = [shipment() for _ in range(3)]
    assert wrong(client, rows + [shipment(total_cost=6.07, colour="red")]) \
        == ["[3].total_cost", "[3].colour"]
    known = "shp_" + unique()
    added(client, shipment(easypost_id=known))
    assert_error(client.post("/db/shipments", document=[
        *rows, shipment(easypost_id=known)]), 409, "CONFLICT")
    assert db.one("select count(*) from shipments where reference = any(%s)",
                  [row["reference"] for row in rows]) == 0


@pytest.mark.parametrize("fields,named", [
    ({"reference": 5}, "reference"), ({"reference": ""}, "reference"),
    ({"reference": "x" * 256}, "reference"), ({"total_cost": "-1"}, "total_cost"),
    ({"total_cost": "1e9"}, "total_cost"), ({"currency": "usd"}, "currency"),
    ({"to_address": {**ADDRESS, "country": "USA"}}, "to_address.country"),
    ({"to_address": {"name": "x"}}, "to_address.street1"),
    ({"parcel": {"weight": 0}}, "parcel.weight"), ({"id": unique()}, "id"),
    ({"created_at": "2026-02-30"}, "created_at"),
    ({"extra_metadata": []}, "extra_metadata"),
    ({"mode": "production"}, "mode")])
def test_each_field_that_is_wrong_is_named(client, db, fields, named):
    sent = {**shipment(), **fields}
    assert named in wrong(client, sent)
    if isinstance(sent["reference"], str):
        assert db.one("select count(*) from shipments where reference = %s",
                      sent["reference"]) == 0


@pytest.mark.parametrize("path", ["/db/shipments", "/db/addresses"])
@pytest.mark.parametrize("body,kind,status,code", [
    (b"{", "application/json", 400, "BODY.MALFORMED"),
    (b'{"a":1,"a":2}', "application/json", 400, "BODY.MALFORMED"),
    (b"[]", "application/json", 422, "BODY.INVALID"),
    (b"[" + b"{}," * 1000 + b"{}]", "application/json", 422, "BODY.INVALID"),
    (b"{}", "text/plain", 415, "MEDIA_TYPE.UNSUPPORTED")])
def test_bodies_that_are_none(client, path, body, kind, status, code):
    got = client.post(path, data=body, headers={"Content-Type": kind})
    assert_error(got, status, code, easypost=False)


def test_amending(client):
    made = added(client, shipment(extra_metadata={"a": 1, "b": 2}))
    path = "/db/shipments/" + made["id"]
    got = client("PATCH", path, document={
        "reference": "new", "extra_metadata": {"b": None, "c": 3}})
    assert got.status_code == 200, got.text
    data = got.json()["data"]
    assert data["reference"] == "new"
    assert data["extra_metadata"] == {"a": 1, "c": 3}
    assert wrong(client, {"easypost_id": "shp_1"}, path, "PATCH") \
        == ["easypost_id"]
    assert client.get(path).json()["data"] == data


def test_many_amend_at_once_and_nothing_is_lost(client, stack):
    path = "/db/shipments/" + added(client, shipment())["id"]
    answers = parallel(6, lambda number: Client(stack, stack.key)(
        "PATCH", path, document={"extra_metadata": {f"k{number}": number}}))
    assert {one.status_code for one in answers} == {200}
    assert client.get(path).json()["data"]["extra_metadata"] \
        == {f"k{number}": number for number in range(6)}


@pytest.mark.parametrize("path,document", [
    ("/db/shipments", shipment()), ("/db/addresses", ADDRESS)])
def test_removing(client, db, path, document):
    made = added(client, document, path)
    own = f"{path}/{made['id']}"
    got = client("DELETE", own)
    assert got.status_code == 200 and got.json()["data"]["id"] == made["id"]
    for method in ("GET", "DELETE", "PATCH"):
        options = {"document": {}} if method == "PATCH" else {}
        assert_error(client(method, own, **options), 404, "NOT_FOUND")
    table = path.rpartition("/")[2]
    assert db.one(f"select deleted_at is not null from {table} where id = %s",
                  made["id"])


def test_easyposts_document_does_not_bring_it_back(client):
    document = documents.shipment(bought=True)
    event = documents.event("tracker.updated", document["tracker"])
    made = added(client, shipment(easypost_id=document["id"]))
    assert client("DELETE", "/db/shipments/" + made["id"]).status_code == 200
    assert deliver(client, event).status_code == 200
    assert_error(client.get("/db/shipments/" + made["id"]), 404)


def test_addresses(client):
    made = added(client, ADDRESS, "/db/addresses")
    own = "/db/addresses/" + made["id"]
    got = client("PATCH", own, document={"city": "Oakland"})
    assert got.status_code == 200, got.text
    assert got.json()["data"]["city"] == "Oakland"
    assert wrong(client, {"city": "x"}, "/db/addresses") \
        == ["street1", "country", "name"]


def test_who_did_it_is_known(client, db, stack):
    made = added(client, shipment())
    client("DELETE", "/db/shipments/" + made["id"])
    rows = db("select action, actor, request_id from audit_log"
              " where row_id = %s order by id", made["id"])
    assert [row[0] for row in rows] == ["insert", "update"]
    assert all("tests" in row[1] and row[2] for row in rows)


def test_reading_is_not_enough(stack):
    reader = Client(stack, stack.service.make_key("reader", "test", "read"))
    assert_error(reader.post("/db/shipments", document=shipment()), 403,
                 "SCOPE.INSUFFICIENT")


def test_the_other_modes_are_not_ones_own(stack, client):
    made = added(client, shipment())
    other = Client(stack, stack.key_production)
    assert_error(other("DELETE", "/db/shipments/" + made["id"]), 403,
                 "MODE.FOREIGN")
