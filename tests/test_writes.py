"""Writing: a person's own shipments and addresses, and own fields of mirrored
ones; all of it or nothing, and every mistake named."""

import json
import string

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

import documents
from helpers import (Client, assert_error, compact, deliver_recorded, parallel,
                     unique, wait_until)

JSON_TYPE = {"Content-Type": "application/json"}
TABLES = ("shipments", "addresses", "parcels", "audit_log")


def address(**fields):
    return {"name": "Ada Lovelace", "street1": "417 Montgomery St",
            "city": "San Francisco", "state": "CA", "zip": "94104",
            "country": "US"} | fields


def shipment(**fields):
    return {"reference": unique("own-")} | fields


def full():
    return shipment(
        tracking_code=unique("1Z")[:20], status="delivered", carrier="UPS",
        service="Ground", base_cost="12.50", total_cost="13.05000",
        currency="EUR", created_at="2024-11-18T10:00:00+02:00",
        purchased_at="2024-11-18", delivered_at="2024-11-20T09:31:00Z",
        weight=15.40, delivery_days=3, est_delivery_date="2024-11-21",
        signed_by="A. Person", batch_id="import-7", mode="test",
        extra_metadata={"a": {"b": [1, None]}, "ä": "ö"},
        from_address=address(company="Works", is_residential=False),
        to_address=address(country="DE"), return_address=address(),
        buyer_address=address(), parcel={"weight": 15.4, "length": 10})


def counts(db):
    return [db.one(f"select count(*) from {table}") for table in TABLES]


def made(got, status=201):
    assert got.status_code == status, got.text
    return got.json()["data"]


def post(client, document, path="/db/shipments"):
    return client.post(path, document=document)


def patch(client, ref, document, path="/db/shipments/"):
    return client("PATCH", path + ref, document=document)


def delete(client, ref, path="/db/shipments/"):
    return client("DELETE", path + ref)


def refused(got, *problems, status=422, code="BODY.INVALID"):
    """The refusal; each problem is a field and words of its message."""
    error = assert_error(got, status, code, easypost=False)
    told = {one["field"]: one["message"] for one in error["errors"]}
    for field, words in problems:
        assert words in told.get(field, ""), (field, words, error)
    return error


def event(client, document, minute=0, description="shipment.updated"):
    deliver_recorded(client, documents.event(description, document, minute))


# --- shipments ----------------------------------------------------------------


def test_one_shipment_comes_back_as_reads_show_it(client):
    given_ = full()
    got = post(client, given_)
    data = made(got)
    assert got.headers["Location"] == "/db/shipments/" + data["id"]
    assert client.get(got.headers["Location"]).json()["data"] == data
    for name in ("reference", "tracking_code", "status", "carrier", "service",
                 "base_cost", "total_cost", "currency", "weight", "mode",
                 "delivery_days", "signed_by", "batch_id", "extra_metadata"):
        assert data[name] == given_[name], name
    assert data["created_at"] == "2024-11-18T08:00:00Z"
    assert data["promised_at"] == "2024-11-21T00:00:00Z"
    assert data["easypost_id"] is None
    for role in ("from", "to", "return", "buyer"):
        shown = data[f"{role}_address"]
        assert shown["id"] == data[f"{role}_address_id"]
        for name, value in given_[f"{role}_address"].items():
            assert shown[name] == value, (role, name)
    assert data["parcel"]["length"] == 10
    listed = client.get("/db/shipments?reference=" + given_["reference"])
    assert [row["id"] for row in listed.json()["data"]["shipments"]] == \
        [data["id"]]


def test_an_array_is_written_in_its_order(client, db):
    items = [shipment(to_address=address()) for _ in range(100)]
    rows = made(post(client, items))["shipments"]
    assert [row["reference"] for row in rows] == \
        [item["reference"] for item in items]
    assert [row["id"] for row in rows] == sorted(row["id"] for row in rows)
    assert set(rows[0]) == {"id", "easypost_id", "reference", "created_at"}
    assert db.one("select count(*) from shipments s join addresses a "
                  "on a.id = s.to_address_id where s.reference = any (%s)",
                  [item["reference"] for item in items]) == 100


def test_addresses_are_named_by_uuid_or_easypost_id(client):
    own = made(post(client, address(), "/db/addresses"))
    mirrored = documents.shipment()
    event(client, mirrored)
    data = made(post(client, shipment(
        from_address_id=own["id"],
        to_address_id=mirrored["to_address"]["id"])))
    assert data["from_address"]["name"] == own["name"]
    assert data["to_address"]["easypost_id"] == mirrored["to_address"]["id"]
    refused(post(client, [shipment(), shipment(
        from_address_id=data["id"], buyer_address_id="adr_" + "0" * 32)]),
        ("[1].from_address_id", "no address"),
        ("[1].buyer_address_id", "no address"))


BAD_FIELDS = [
    ("reference", "", "1 to 255"), ("reference", "x" * 256, "1 to 255"),
    ("reference", 5, "text"), ("reference", "a\nb", "control"),
    ("tracking_code", "1Z 9", "letters, digits"),
    ("tracking_code", "abc", "4 to 64"), ("status", "lost", "one of"),
    ("status", ["delivered"], "one of"), ("carrier", "c" * 65, "1 to 64"),
    ("base_cost", 12.5, "decimal string"), ("base_cost", "-1", "not negative"),
    ("total_cost", "1e3", "decimal string"), ("total_cost", "NaN", "decimal"),
    ("currency", "usd", "3 capital"), ("currency", "DOLLARS", "3 capital"),
    ("weight", 0, "above 0"), ("weight", -1, "above 0"),
    ("weight", "15", "number"), ("weight", 1e300, "number"),
    ("delivery_days", 2.5, "whole"), ("delivery_days", 366, "0 to 365"),
    ("created_at", "2023-02-29", "date that exists"),
    ("created_at", "2023-02-28T01:02:03 02:00", "RFC 3339"),
    ("created_at", "9999-01-01", "1970 and tomorrow"),
    ("created_at", "1969-12-31", "1970 and tomorrow"),
    ("purchased_at", "9999-12-30", "1970 and tomorrow"),
    ("purchased_at", "0001-01-01", "1970 and tomorrow"),
    ("delivery_date", 1700000000, "RFC 3339"),
    ("delivery_date", "9999-12-31T23:59:59-15:00", "RFC 3339"),
    ("delivery_date", "9999-12-31T23:59:59.9999999Z", "RFC 3339"),
    ("delivery_date", "0001-01-01T00:00:00+15:00", "RFC 3339"),
    ("extra_metadata", [], "object"), ("extra_metadata", "x", "object"),
    ("easypost_id", "trk_" + "0" * 32, "shp_"),
    ("mode", "production", "must be test"), ("mode", "live", "one of"),
    ("to_address", "adr_1", "object"), ("from_address_id", "x", "UUID"),
    ("parcel", {}, ""), ("id", "x", "not yours"), ("rates", [], "not yours"),
    ("colour", "red", "not known"),
]


@pytest.mark.parametrize("name,value,words", BAD_FIELDS)
def test_each_field_in_each_wrong_way(client, db, name, value, words):
    before = counts(db)
    field = "parcel.weight" if name == "parcel" else name
    for document, path in ((shipment() | {name: value}, field),
                           ([shipment(), shipment() | {name: value}],
                            "[1]." + field)):
        refused(post(client, document), (path, words))
    assert counts(db) == before


@pytest.mark.parametrize("fields,problem", [
    ({"reference": None}, ("tracking_code", "is required")),
    ({"base_cost": "1.00"}, ("currency", "with a cost")),
    ({"delivered_at": "2024-01-01"}, ("status", "must be delivered")),
    ({"delivered_at": "2024-01-01", "status": "unknown"},
     ("status", "must be delivered")),
    ({"to_address": address(), "to_address_id": "adr_" + "0" * 32},
     ("to_address", "exclude")),
    ({"to_address": address(name=None)}, ("to_address.name", "company")),
    ({"to_address": {"name": "x"}}, ("to_address.street1", "required")),
    ({"to_address": address(country="usa")}, ("to_address.country", "2")),
    ({"to_address": address(id="x")}, ("to_address.id", "not yours")),
    ({"extra_metadata": {"x": "y" * 70000}}, ("extra_metadata", "64 KiB")),
])
def test_fields_that_contradict_each_other(client, db, fields, problem):
    before = counts(db)
    refused(post(client, shipment(**fields)), problem)
    assert counts(db) == before


def test_every_problem_is_told_up_to_a_hundred(client):
    error = refused(post(client, [shipment(weight=0, colour=1), 7, shipment(),
                                  {}]),
                    ("[0].weight", "above 0"), ("[0].colour", "not known"),
                    ("[1]", "must be an object"), ("[3].tracking_code", ""))
    assert len(error["errors"]) == 4
    error = refused(post(client, [{}] * 300))
    assert len(error["errors"]) == 100
    assert "300" in error["message"] and "first 100" in error["message"]


@pytest.mark.parametrize("body,status,code,words", [
    (b"", 400, "BODY.MALFORMED", "object or an array"),
    (b"12", 400, "BODY.MALFORMED", "object or an array"),
    (b'"x"', 400, "BODY.MALFORMED", "object or an array"),
    (b'{"reference":', 400, "BODY.MALFORMED", "line 1"),
    (b'{"reference":"a"}\n{}', 400, "BODY.MALFORMED", "line 2"),
    (b'{"reference":"a","reference":"b"}', 400, "BODY.MALFORMED", "line 1"),
    (b'{"reference":"\xff"}', 400, "BODY.MALFORMED", "valid"),
    (b'{"reference":"\\u0000"}', 400, "BODY.MALFORMED", "valid"),
    (b'{"reference":"\\ud800"}', 400, "BODY.MALFORMED", "valid"),
    (b'{"weight":1e999}', 400, "BODY.MALFORMED", "number"),
    (b"[" * 100, 400, "BODY.MALFORMED", "64 levels"),
    (b"[" + b"1," * 300000 + b"1]", 400, "BODY.MALFORMED", "values"),
    (b"[]", 422, "BODY.INVALID", "1 to 1000"),
    (compact([{}] * 1001), 422, "BODY.INVALID", "holds 1001"),
    (b"[[]]", 422, "BODY.INVALID", "must be an object"),
])
@pytest.mark.parametrize("path", ["/db/shipments", "/db/addresses"])
def test_bodies_that_are_none(client, db, path, body, status, code, words):
    before = counts(db)
    got = client.post(path, data=body, headers=JSON_TYPE)
    assert words in assert_error(got, status, code)["message"]
    assert counts(db) == before


def test_a_patch_is_one_object(client):
    data = made(post(client, shipment()))
    refused(patch(client, data["id"], []), ("", "must be an object"))
    assert_error(client("PATCH", "/db/shipments/" + data["id"], data=b"1",
                        headers=JSON_TYPE), 400, "BODY.MALFORMED")


def test_what_the_body_must_say_it_is(client):
    body = compact(shipment())
    for kind in ("application/json", "Application/JSON; charset=UTF-8",
                 'application/json;charset="utf-8"'):
        made(client.post("/db/shipments", data=compact(shipment()),
                         headers={"Content-Type": kind}))
    for kind in ("text/plain", "application/jsonp", "application/json; "
                 "charset=latin1", "application/merge-patch+json", ""):
        assert_error(client.post("/db/shipments", data=body,
                                 headers={"Content-Type": kind}),
                     415, "MEDIA_TYPE.UNSUPPORTED")
    own = made(post(client, shipment()))["id"]
    made(client("PATCH", "/db/shipments/" + own, data=b'{"reference":"x"}',
                headers={"Content-Type": "application/merge-patch+json"}), 200)


def test_a_large_body(client, db):
    fat = {"note": "x" * 60000}
    assert len(made(post(client, [shipment(extra_metadata=fat)
                                  for _ in range(100)]))["shipments"]) == 100
    before = counts(db)
    assert_error(client.post(
        "/db/shipments", headers=JSON_TYPE,
        data=compact(shipment(signed_by="x" * (10 * 1024 * 1024)))),
        413, "BODY.TOO_LARGE")
    assert counts(db) == before


def test_parameters_and_ids_that_are_none(client):
    assert_error(client.post("/db/shipments?dry=1", document=shipment()), 400,
                 "PARAMETER.UNKNOWN")
    for method, body in (("PATCH", {}), ("DELETE", None)):
        for ref, status in (("0" * 8, 404), ("shp_" + "0" * 32, 404),
                            ("x" * 65, 400), ("a%20b", 400), ("%FF", 400)):
            for path in ("/db/shipments/", "/db/addresses/"):
                got = client(method, path + ref,
                             **({"document": body} if body is not None else {}))
                assert_error(got, status, ("NOT_FOUND", "PARAMETER.INVALID"))


def test_scopes(stack, nobody):
    reader = Client(stack, stack.service.make_key(unique("r"), "test", "read"))
    for path, body in (("/db/shipments", shipment()),
                       ("/db/addresses", address())):
        assert_error(post(nobody, body, path), 401)
        assert_error(post(reader, body, path), 403, "SCOPE.INSUFFICIENT")
        for method in ("PATCH", "DELETE"):
            assert_error(reader(method, path + "/" + "0" * 8, document={}),
                         403, "SCOPE.INSUFFICIENT")
    got = nobody("PUT", "/db/shipments/x")
    assert_error(got, 405)
    assert got.headers["Allow"] == "GET, HEAD, PATCH, DELETE"


# --- all or nothing --------------------------------------------------------------


def test_a_conflict_writes_nothing(client, db):
    there = documents.new_id("shp")
    made(post(client, shipment(easypost_id=there)))
    before = counts(db)
    refused(post(client, [shipment(to_address=address()),
                          shipment(easypost_id=there)]),
            ("[1].easypost_id", "recorded already"), status=409,
            code="CONFLICT")
    twice = documents.new_id("shp")
    refused(post(client, [shipment(easypost_id=twice), shipment(),
                          shipment(easypost_id=twice)]),
            ("[2].easypost_id", "twice"))
    assert counts(db) == before
    made(delete(client, there), 200)
    refused(post(client, shipment(easypost_id=there)),
            ("easypost_id", "was deleted"), status=409, code="CONFLICT")


def test_of_many_with_one_id_one_is_written(client, db):
    there = documents.new_id("shp")
    codes = parallel(6, lambda _: post(
        Client(client.stack, client.stack.key),
        shipment(easypost_id=there)).status_code)
    assert sorted(codes) == [201] + [409] * 5
    assert db.one("select count(*) from shipments where easypost_id = %s",
                  there) == 1


def test_a_database_that_does_not_answer_a_write(client, db):
    """Nobody knows, so nobody is told to send it again; here it was not done."""
    own = shipment()
    db("begin; lock table waybill.shipments in access exclusive mode")
    try:
        got = client.post("/db/shipments", document=own)
    finally:
        db("rollback")
    assert_error(got, 503, "DATABASE.IN_DOUBT")
    assert "Retry-After" not in got.headers
    made(post(client, shipment()))


def test_without_a_database_nothing_is_written(odd_stack):
    own = Client(odd_stack, odd_stack.key)
    made(post(own, shipment()))
    before = odd_stack.psql("select count(*) from shipments")
    odd_stack.postgres.stop()
    try:
        got = post(own, [shipment(), shipment()])
        assert_error(got, 503, "DATABASE.UNAVAILABLE")
        assert got.headers["Retry-After"]
    finally:
        odd_stack.postgres.start()
    assert odd_stack.psql("select count(*) from shipments") == before
    wait_until(lambda: post(own, shipment()).status_code == 201, 20,
               "the first write to the database that is back")


# --- changes -----------------------------------------------------------------------


def test_an_own_shipment_is_amended(client):
    data = made(post(client, full()))
    changed = made(patch(client, data["tracking_code"], {
        "status": "failure", "delivered_at": None, "carrier": None,
        "total_cost": "14.00", "weight": 2, "delivery_date": "2024-11-30",
        "extra_metadata": {"a": {"b": None, "c": 1}, "new": {"x": None}}}), 200)
    assert (changed["status"], changed["delivered_at"], changed["carrier"],
            changed["total_cost"], changed["weight"]) == \
        ("failure", None, None, "14.00", 2)
    assert changed["promised_at"] == "2024-11-30T00:00:00Z"
    assert changed["extra_metadata"] == {"a": {"c": 1}, "ä": "ö", "new": {}}
    assert changed["reference"] == data["reference"]
    assert changed["to_address"] == data["to_address"]
    assert client.get("/db/shipments/" + data["id"] + "?").json()["data"] == \
        changed
    gone = made(patch(client, data["id"], {
        "extra_metadata": None, "reference": None}), 200)
    assert (gone["extra_metadata"], gone["reference"]) == (None, None)


def test_a_patch_may_not_end_in_a_contradiction(client):
    own = made(post(client, full()))["id"]
    for document, problem in (
            ({"currency": None}, ("currency", "with a cost")),
            ({"status": "in_transit"}, ("delivered_at", "status delivered")),
            ({"status": None}, ("status", "not be removed")),
            ({"created_at": "2024-01-01"}, ("created_at", "not yours")),
            ({"parcel": None}, ("parcel", "not yours")),
            ({"extra_metadata": {"x": "y" * 70000}},
             ("extra_metadata", "64 KiB")),
            ({"purchased_at": "9999-12-30"},
             ("purchased_at", "1970 and tomorrow")),
            ({"delivered_at": "1969-12-31"},
             ("delivered_at", "1970 and tomorrow"))):
        refused(patch(client, own, document), problem)


def test_patches_at_once_all_count(client):
    own = made(post(client, shipment()))["id"]
    parallel(8, lambda number: made(patch(
        Client(client.stack, client.stack.key), own,
        {"extra_metadata": {f"k{number}": number}}), 200))
    shown = made(client.get("/db/shipments/" + own), 200)
    assert shown["extra_metadata"] == {f"k{n}": n for n in range(8)}


@pytest.mark.parametrize("number", [
    "1e-30000", "1." + "0" * 17000 + "1", "1e400", "12345678901234567890"])
@pytest.mark.parametrize("body", ['{"reference":"r","weight":%s}',
                                  '{"reference":"r","extra_metadata":{"a":%s}}'])
def test_numbers_that_nothing_can_hold(client, body, number):
    error = assert_error(client.post(
        "/db/shipments", data=body % number,
        headers={"Content-Type": "application/json"}), 400, "BODY.MALFORMED")
    assert "number" in error["message"]


def test_a_deleted_shipment_is_gone_for_everybody(client):
    own = made(post(client, full()))
    data = made(delete(client, own["id"]), 200)
    assert set(data) == {"id", "deleted_at"} and data["id"] == own["id"]
    assert_error(delete(client, own["id"]), 404, "NOT_FOUND")
    assert_error(patch(client, own["id"], {}), 404, "NOT_FOUND")
    for ref in (own["id"], own["tracking_code"]):
        assert_error(client.get("/db/shipments/" + ref), 404)
    rows = client.get("/db/shipments?reference=" + own["reference"]).json()
    assert rows["data"]["shipments"] == []
    # what refers to an address counts on
    shown = made(client.get("/db/addresses/" + own["to_address_id"]), 200)
    assert shown["usage_count"] == 1


def test_a_key_writes_in_its_own_mode_only(client, stack):
    other = Client(stack, stack.key_production)
    own = made(post(other, shipment()))
    assert own["mode"] == "production"
    home = made(post(other, address(), "/db/addresses"))["id"]
    for got in (patch(client, own["id"], {"reference": "x"}),
                delete(client, own["id"]),
                patch(client, home, {"name": "x"}, "/db/addresses/"),
                delete(client, home, "/db/addresses/")):
        assert_error(got, 403, "MODE.FOREIGN")
    assert made(client.get("/db/shipments/" + own["id"]), 200) == own


# --- with EasyPost's documents --------------------------------------------------------


def test_a_document_takes_over_and_own_fields_stay(client, db):
    document = documents.shipment(bought=True, reference="theirs")
    own = made(post(client, full() | {"easypost_id": document["id"]}))
    event(client, document)
    shown = made(client.get("/db/shipments/" + document["id"]), 200)
    assert shown["id"] == own["id"]
    assert shown["tracking_code"] == document["tracking_code"]
    assert shown["carrier"] == "USPS" and shown["total_cost"] == "6.07000"
    assert shown["to_address"]["easypost_id"] == document["to_address"]["id"]
    assert shown["extra_metadata"] == own["extra_metadata"]
    assert shown["reference"] == own["reference"]
    assert made(patch(client, own["id"], {"reference": None}), 200)[
        "reference"] == "theirs"
    assert db.one("select count(*) from shipments where easypost_id = %s",
                  document["id"]) == 1


def test_a_tracker_that_came_first_is_found(client):
    document = documents.shipment(bought=True)
    event(client, document["tracker"] | {"status": "in_transit"},
          description="tracker.updated")
    made(post(client, shipment(easypost_id=document["id"])))
    event(client, document | {"tracker": None})
    shown = made(client.get("/db/shipments/" + document["id"]), 200)
    assert shown["status"] == "in_transit"


@pytest.mark.parametrize("order", [(0, 1, 2), (2, 1, 0), (1, 0, 2), (2, 0, 1)])
def test_a_patched_reference_stays_in_any_order(client, order):
    own = documents.new_id("shp")
    told = [documents.shipment(id=own, reference=f"theirs-{n}",
                               updated_at=documents.at(n)) for n in range(3)]
    event(client, told[order[0]])
    made(patch(client, own, {"reference": "mine",
                             "extra_metadata": {"a": 1}}), 200)
    for number in order[1:]:
        event(client, told[number])
    shown = made(client.get("/db/shipments/" + own), 200)
    assert (shown["reference"], shown["extra_metadata"]) == ("mine", {"a": 1})
    assert made(patch(client, own, {"reference": None}), 200)[
        "reference"] == "theirs-2"


def test_what_is_easyposts_is_refused_by_name(client):
    document = documents.shipment(bought=True)
    event(client, document)
    error = refused(patch(client, document["id"], {
        "reference": "x", "status": "delivered", "carrier": "UPS"}),
        ("status", "belongs to EasyPost"), ("carrier", "belongs to EasyPost"),
        status=409, code="CONFLICT")
    assert len(error["errors"]) == 2
    shown = made(client.get("/db/shipments/" + document["id"]), 200)
    assert (shown["reference"], shown["carrier"]) == (None, "USPS")


def test_a_later_document_does_not_bring_back_what_was_deleted(client, db):
    document = documents.shipment()
    event(client, document)
    made(delete(client, document["id"]), 200)
    event(client, document | {"updated_at": documents.at(9),
                              "reference": "later"})
    assert_error(client.get("/db/shipments/" + document["id"]), 404)
    row = db.row("shipments", document["id"])
    assert row["deleted_at"] and row["reference"] == "later"


# --- addresses -----------------------------------------------------------------------


def test_addresses(client):
    given_ = address(company="Works", street2="2nd", phone="1", email="a@b.c",
                     is_residential=True, carrier_facility="x",
                     federal_tax_id="f", state_tax_id="s")
    got = post(client, given_, "/db/addresses")
    data = made(got)
    assert got.headers["Location"] == "/db/addresses/" + data["id"]
    assert made(client.get(got.headers["Location"]), 200) == data
    assert {name: data[name] for name in given_} == given_
    changed = made(patch(client, data["id"], {"city": None, "name": "Z"},
                         "/db/addresses/"), 200)
    assert (changed["city"], changed["name"]) == (None, "Z")
    refused(patch(client, data["id"], {"name": None, "company": None},
                  "/db/addresses/"), ("name", "company"))
    refused(patch(client, data["id"], {"street1": None}, "/db/addresses/"),
            ("street1", "not be removed"))
    used = made(post(client, shipment(to_address_id=data["id"])))
    made(delete(client, data["id"], "/db/addresses/"), 200)
    assert_error(delete(client, data["id"], "/db/addresses/"), 404)
    assert_error(client.get("/db/addresses/" + data["id"]), 404)
    assert made(client.get("/db/shipments/" + used["id"]), 200)[
        "to_address"]["name"] == "Z"
    refused(post(client, shipment(to_address_id=data["id"])),
            ("to_address_id", "no address"))


def test_an_array_of_addresses(client, db):
    items = [address(name=unique()) for _ in range(3)]
    rows = made(post(client, items, "/db/addresses"))["addresses"]
    assert [row["name"] for row in rows] == [item["name"] for item in items]
    before = counts(db)
    refused(post(client, [address(), address(country="Germany"), {}],
                 "/db/addresses"), ("[1].country", "2 capital"),
            ("[2].street1", "required"), ("[2].name", "company"))
    assert counts(db) == before


def test_an_address_of_easypost_never_changes(client):
    document = documents.shipment()
    event(client, document)
    own = document["to_address"]["id"]
    error = assert_error(patch(client, own, {"name": "x"}, "/db/addresses/"),
                         409, "CONFLICT")
    assert "EasyPost" in error["message"]
    assert made(client.get("/db/addresses/" + own), 200)["name"] == \
        document["to_address"]["name"]


# --- who did it ------------------------------------------------------------------------


def test_the_audit_log_tells_who_and_what(client, db, stack):
    def noted(table, row_id):
        return db("select action, actor, request_id, old_row, new_row "
                  "from audit_log where table_name = %s and row_id = %s "
                  "order by id", table, row_id)

    own = made(post(client, full()))["id"]
    got = patch(client, own, {"reference": "r2", "status": "failure",
                              "delivered_at": None})
    patch(client, own, {"reference": "r2"})  # changes nothing: no line
    delete(client, own)
    lines = noted("shipments", own)
    assert [line[0] for line in lines] == ["insert", "update", "update"]
    key = db.one("select id::text from api_keys where name = 'tests'")
    assert {line[1] for line in lines} == {f"key {key} tests"}
    assert lines[1][2] == got.headers["X-Request-Id"]
    assert (lines[1][3]["status"], lines[1][4]["status"]) == \
        ("delivered", "failure")
    assert lines[2][3]["deleted_at"] is None and lines[2][4]["deleted_at"]
    home = made(post(client, address(), "/db/addresses"))["id"]
    patch(client, home, {"city": "Berlin"}, "/db/addresses/")
    assert [line[0] for line in noted("addresses", home)] == \
        ["insert", "update"]


def test_the_mirror_itself_is_not_audited(client, db):
    before = db.one("select count(*) from audit_log")
    document = documents.shipment(bought=True)
    event(client, document)
    event(client, document | {"updated_at": documents.at(9), "to_address":
                              document["to_address"] | {
                                  "name": "Later", "updated_at":
                                  documents.at(9)}})
    assert db.one("select count(*) from audit_log") == before


# --- what nobody thinks of ------------------------------------------------------------------


NAMES = ("reference", "tracking_code", "status", "carrier", "base_cost",
         "currency", "weight", "delivery_days", "created_at", "mode",
         "extra_metadata", "to_address", "parcel", "from_address_id")
VALUES = st.recursive(
    st.one_of(st.none(), st.booleans(), st.integers(),
              st.floats(allow_nan=False, allow_infinity=False),
              st.text(max_size=8), st.text(string.printable, max_size=30),
              st.sampled_from(["delivered", "1.50", "USD", "2024-02-30", "US",
                               "2024-01-01T00:00:00Z", "test"])),
    lambda inner: st.one_of(st.lists(inner, max_size=3), st.dictionaries(
        st.sampled_from(("name", "street1", "country", "weight", "x")), inner,
        max_size=4)), max_leaves=6)


@settings(max_examples=150, derandomize=True, deadline=None,
          suppress_health_check=list(HealthCheck))
@given(st.dictionaries(st.sampled_from(NAMES), VALUES, max_size=6))
def test_whatever_passes_the_checker_the_database_takes(client, db, fields):
    """No answer but 201 and 4xx that names what is wrong; and what was refused
    left no row."""
    before = counts(db)
    got = client.post("/db/shipments", headers=JSON_TYPE, data=json.dumps(
        fields).encode("utf-8", "surrogatepass"))
    if got.status_code == 201:
        shown = got.json()["data"]
        for name in ("reference", "tracking_code", "carrier", "base_cost"):
            assert shown[name] == fields.get(name)
        return
    error = assert_error(got, (400, 422))
    assert error["code"] in ("BODY.INVALID", "BODY.MALFORMED"), error
    assert error["code"] != "BODY.INVALID" or error["errors"]
    assert counts(db) == before
