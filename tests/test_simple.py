"""The simple routes: rates, shipments, purchases, refunds and tracking in our
own envelope, over the same core as the proxy."""

import hashlib
import json
import os
import signal
import socket
import threading
import uuid

import pytest

from fixtures import simulator
from helpers import (Client, Database, assert_error, changed_settings, compact,
                     parallel, setting, unique, wait_until, workers)

TO = {"name": "Elizabeth Swan", "street1": "179 N Harbor Dr",
      "city": "Redondo Beach", "state": "CA", "zip": "90277", "country": "US"}
FROM = {"name": "Jack Sparrow", "street1": "388 Townsend St",
        "city": "San Francisco", "state": "CA", "zip": "94107",
        "country": "US"}
PARCEL = {"length": 10, "width": 8, "height": 4, "weight": 15.4}
ITEM = {"description": "Mugs", "quantity": 2, "weight": 11, "value": "23.25",
        "hs_tariff_number": "691200", "origin_country": "US"}
CUSTOMS = {"contents_type": "merchandise", "customs_certify": True,
           "customs_signer": "Jack Sparrow", "eel_pfc": "NOEEI 30.37(a)",
           "customs_items": [ITEM]}
ID = "shp_" + "0" * 32


def a_draft(**more):
    return {"to_address": TO, "from_address": FROM, "parcel": PARCEL,
            "reference": unique("ref-")} | more


@pytest.fixture(autouse=True)
def calm(sim):
    """No limit of lists, and no fault is left for the next test."""
    before = sim._get("/settings")["list_limit"]
    sim._post("/settings", {"list_limit": 0})
    yield
    sim.session.delete(sim.base + "/_sim/fault", timeout=10)
    sim._post("/settings", {"list_limit": before})


def data_of(answer, status=200):
    assert answer.status_code == status, answer.text
    document = answer.json()
    assert set(document) == {"status", "data"}
    assert document["status"] == "success"
    return document["data"]


def raw_data(answer):
    """The bytes of the data as they came."""
    before, after = b'{"status":"success","data":', b"}"
    assert answer.content.startswith(before) and answer.content.endswith(after)
    return answer.content[len(before):-len(after)]


def made(client, **more):
    return data_of(client.post("/shipments", document=a_draft(**more)), 201)


def posts(sim, part):
    return [call for call in sim.calls(part) if call["method"] == "POST"]


def sha256(data):
    return hashlib.sha256(data).hexdigest()


def cheapest(shipment):
    return min(shipment["rates"], key=lambda one: float(one["rate"]))


def refused(answer, *fields):
    """Refused by us, naming exactly these fields."""
    error = assert_error(answer, 422, "BODY.INVALID", easypost=False)
    assert [one["field"] for one in error["errors"]] == list(fields), error
    for one in error["errors"]:
        assert one["message"].startswith(one["field"]), one
    return error


# --- happy -----------------------------------------------------------------------


@pytest.mark.parametrize("is_wrapped", [False, True])
def test_rates(client, sim, db, is_wrapped):
    draft = a_draft()
    answer = client.post("/rates", document={"shipment": draft}
                         if is_wrapped else draft)
    data = data_of(answer)
    assert set(data) == {"shipment_id", "rates", "messages"}
    assert len(data["rates"]) > 2
    assert db.row("shipments", data["shipment_id"])["reference"] \
        == draft["reference"]
    upstream = client.get(f"/v2/shipments/{data['shipment_id']}").content
    assert json.loads(upstream)["rates"] == data["rates"]
    assert compact(data["rates"]) in answer.content


@pytest.mark.parametrize("is_wrapped", [False, True])
def test_a_shipment_is_created_with_the_bytes_that_came(
        client, sim, db, is_wrapped):
    text = ('{ "reference":"%s", "parcel" : {"weight":15.40,"length":1.0e1} ,'
            '"to_address":%s,"from_address":%s}'
            % (unique("bytes-"), json.dumps(TO), json.dumps(FROM)))
    body = '{"shipment": %s }' % text if is_wrapped else text
    answer = client.post("/shipments", data=body.encode())
    data = data_of(answer, 201)
    assert answer.headers["Location"] == f"/shipments/{data['id']}"
    assert raw_data(answer) == client.get(
        f"/v2/shipments/{data['id']}").content
    assert db.row("shipments", data["id"])["reference"] == data["reference"]
    assert data["parcel"]["weight"] == 15.4


def test_what_goes_up_is_a_slice_of_what_came(odd_stack):
    """Not one byte is written anew, be it wrapped or put together."""
    seen = []

    def serve(head, body):
        seen.append((head, body))
        return b'{"id":"' + ID.encode() + b'","object":"Shipment"}'

    parts = {"parcel": '{"weight":15.40, "length" : 1.0e1}',
             "to_address": '"adr_1"', "from_address": '{"id":"adr_2"}'}
    flat = "{" + " , ".join(f'"{k}" : {v}' for k, v in parts.items()) + "}"
    with serving(serve) as port, changed_settings(odd_stack, ["upstream"], {
            "EASYPOST_API_BASE": f"http://127.0.0.1:{port}"}):
        client = Client(odd_stack, odd_stack.key)
        for body in ('{"shipment" : ' + flat + " }", flat):
            data_of(client.post("/shipments", data=body.encode(), headers={
                "User-Agent": "Shop/1"}), 201)
    assert seen[0][1] == b'{"shipment":' + flat.encode() + b"}"
    assert json.loads(seen[1][1]) == json.loads(seen[0][1])
    for text in parts.values():
        assert text.encode() in seen[1][1]
    head = seen[0][0].lower()
    assert b"post /v2/shipments http/1.1\r\n" in head
    assert b"content-type: application/json\r\n" in head
    assert b"user-agent: shop/1\r\n" in head
    assert b"x-request-id: " in head


@pytest.mark.parametrize("more", [
    {"customs_info": CUSTOMS}, {"return_address": FROM, "buyer_address": TO},
    {"options": {"label_format": "PNG", "anything": [1, {"a": None}]}},
    {"is_return": True}, {"reference": None}, {"carrier_accounts": []},
    {"parcel": {"weight": "15.4"}}, {"insurance": "100.00"},
    {"tax_identifiers": [{"entity": "SENDER", "tax_id": "1",
                          "tax_id_type": "IOSS", "issuing_country": "GB"}]},
], ids=lambda more: next(iter(more)))
def test_fields_that_are_taken(client, more):
    assert made(client, **more)["object"] == "Shipment"


def test_objects_by_id(client):
    first = made(client, customs_info=CUSTOMS)
    for ref in (lambda one: one["id"], lambda one: {"id": one["id"]},
                lambda one: one):
        again = made(client, **{
            name: ref(first[name]) for name in (
                "to_address", "from_address", "parcel", "customs_info")})
        assert again["to_address"]["id"] == first["to_address"]["id"]
        assert again["parcel"]["id"] == first["parcel"]["id"]


def accounts_of(client):
    return [one["id"] for one in client.get("/v2/carrier_accounts").json()]


def test_a_shipment_with_a_service_is_bought_at_once(client):
    assert made(client, service="GroundAdvantage", carrier="USPS",
                carrier_accounts=accounts_of(client))["tracking_code"]


def test_one_shipment(client, db):
    shipment = made(client)
    db("delete from documents where easypost_id = %s", shipment["id"])
    answer = client.get(f"/shipments/{shipment['id']}")
    assert data_of(answer) == shipment
    assert raw_data(answer) == client.get(
        f"/v2/shipments/{shipment['id']}").content
    wait_until(lambda: db.one(
        "select count(*) from documents where easypost_id = %s",
        shipment["id"]) == 1, 10, "the record")
    assert client("HEAD", f"/shipments/{shipment['id']}").status_code == 200


def test_what_was_read_is_not_sent_again(client):
    made = client.post("/shipments", document=a_draft()).json()["data"]["id"]
    for path in (f"/shipments/{made}", "/shipments?limit=1"):
        got = client.get(path)
        tag = got.headers["ETag"]
        again = client.get(path, headers={"If-None-Match": tag})
        assert (again.status_code, again.content) == (304, b"")
        assert again.headers["ETag"].removeprefix("W/") == tag.removeprefix(
            "W/")
        other = client.get(path, headers={"If-None-Match": '"another"'})
        assert (other.status_code, other.content) == (200, got.content)
    # Its age changes: only whoever has anything at all needs nothing new.
    got = client.get("/tracking/EZ1000000001", headers={"If-None-Match": "*"})
    assert (got.status_code, got.content) == (304, b"")


def test_a_list_is_walked_by_its_cursor(client):
    ids = [made(client)["id"] for _ in range(7)]
    seen, after = [], ""
    while len(seen) < 6:
        data = data_of(client.get(f"/shipments?limit=2{after}"))
        page = data["pagination"]
        assert (page["limit"], page["total"], page["has_more"]) \
            == (2, None, True)
        assert page["next"] == data["shipments"][-1]["id"]
        seen += [one["id"] for one in data["shipments"]]
        after = "&after=" + page["next"]
    assert seen == ids[:0:-1]
    by_name = data_of(client.get(f"/shipments?limit=2&before_id={ids[3]}"))
    assert [one["id"] for one in by_name["shipments"]] == [ids[2], ids[1]]


@pytest.mark.parametrize("query,upstream", [
    ("", "page_size=20"),
    ("limit=100", "page_size=100"),
    ("start_datetime=2026-11-01&end_datetime=2026-11-02",
     "page_size=20&start_datetime=2026-11-01T00:00:00Z"
     "&end_datetime=2026-11-02T23:59:59Z"),
    ("start_datetime=2026-11-01T00:00:00%2B01:00",
     "page_size=20&start_datetime=2026-11-01T00:00:00%2B01:00"),
    ("purchased=true&include_children=false",
     "page_size=20&purchased=true&include_children=false"),
])
def test_a_list_has_the_parameters_of_easyposts(client, sim, query, upstream):
    data_of(client.get(f"/shipments?{query}"))
    assert upstream in [call["query"] for call in sim.calls("/v2/shipments")]


def test_an_empty_list_ends(client, sim):
    sim.canned("GET", "/v2/shipments", b'{"has_more":false,"shipments":[ ]}',
               query="page_size=7", times=1)
    answer = client.get("/shipments?limit=7")
    assert raw_data(answer) == (
        b'{"shipments":[ ],"pagination":{"total":null,"limit":7,'
        b'"has_more":false,"next":null}}')


def test_a_number_is_told_as_json_writes_it(client):
    page = data_of(client.get("/shipments?limit=007"))["pagination"]
    assert page["limit"] == 7


# --- buying ------------------------------------------------------------------------


def test_buy_by_the_rates_id(client, sim, db):
    shipment = made(client)
    rate = shipment["rates"][-1]
    for form in (rate["id"], {"id": rate["id"]}):
        answer = client.post(f"/shipments/{shipment['id']}/buy",
                             document={"rate": form, "insurance": "50.00"})
        if form is rate["id"]:
            bought = data_of(answer)
        else:
            assert_error(answer, 422, "SHIPMENT.POSTAGE.EXISTS",
                         easypost=False)
    assert bought["selected_rate"]["id"] == rate["id"]
    assert bought["insurance"] == "50.00"
    row = db.row("shipments", shipment["id"])
    assert row["tracking_code"] == bought["tracking_code"]
    calls = sim.calls(shipment["id"])
    assert [call["method"] for call in calls] == ["POST", "POST"]
    everything = [call["connection"] for call in sim.calls()]
    for call in calls:  # on a connection of its own
        assert everything.count(call["connection"]) == 1


@pytest.mark.parametrize("wish", ["cheapest", "named"])
def test_buy_what_is_wished(client, sim, wish):
    shipment = made(client)
    rate = cheapest(shipment) if wish == "cheapest" else shipment["rates"][-1]
    bought = data_of(client.post(f"/shipments/{shipment['id']}/buy", document={
        "rate": wish if wish == "cheapest" else {
            "carrier": rate["carrier"], "service": rate["service"]}}))
    assert bought["selected_rate"]["id"] == rate["id"]
    assert [(c["method"], c["path"].rpartition("/")[2])
            for c in sim.calls(shipment["id"])] \
        == [("GET", shipment["id"]), ("POST", "buy")]


@pytest.mark.parametrize("is_wrapped", [False, True])
@pytest.mark.parametrize("wish", ["cheapest", "named"])
def test_create_and_buy_in_one_call(client, db, wish, is_wrapped):
    draft = a_draft()
    beside = {"rate": wish if wish == "cheapest" else {
        "carrier": "USPS", "service": "Express"}, "max_price": "1000"}
    answer = client.post("/shipments/buy", document={
        "shipment": draft, **beside} if is_wrapped else draft | beside)
    bought = data_of(answer, 201)
    assert answer.headers["Location"] == f"/shipments/{bought['id']}"
    chosen = bought["selected_rate"]
    if wish == "cheapest":
        assert chosen["id"] == cheapest(bought)["id"]
    else:
        assert (chosen["carrier"], chosen["service"]) == ("USPS", "Express")
    row = db.row("shipments", bought["id"])
    assert (row["reference"], row["tracking_code"]) \
        == (draft["reference"], bought["tracking_code"])
    assert db.one("select count(*) from documents where easypost_id = %s",
                  bought["id"]) == 2


def test_the_cheapest_is_exact_and_ties_go_by_days(client, sim):
    """More digits than a float has; equal prices of another scale."""
    shipment = made(client)
    rates = [("9007199254740993", 5), ("10.10", 5), ("9.10000000001", 3),
             ("9.1", 4), ("9.100", 2), ("9.10", 2), ("9.1", None)]
    canned = dict(shipment, rates=[
        dict(shipment["rates"][0], id=f"rate_{number}", rate=price,
             delivery_days=days) for number, (price, days) in enumerate(rates)])
    path = f"/v2/shipments/{shipment['id']}"
    sim.canned("GET", path, canned)
    sim.canned("POST", path + "/buy", dict(canned, postage_label={}))
    data_of(client.post(f"/shipments/{shipment['id']}/buy",
                        document={"rate": "cheapest", "max_price": 9.1}))
    sent = [c for c in sim.calls(path) if c["method"] == "POST"]
    assert len(sent) == 1
    assert sent[0]["body_sha256"] == sha256(b'{"rate":{"id":"rate_4"}}')


def test_a_price_that_is_too_high(client, sim):
    shipment = made(client)
    rate = cheapest(shipment)
    path = f"/shipments/{shipment['id']}/buy"
    for wish in ("cheapest", rate["id"]):
        answer = client.post(path, document={"rate": wish,
                                             "max_price": "0.01"})
        error = assert_error(answer, 422, "RATE.TOO_DEAR", easypost=False)
        assert error["errors"][0]["field"] == "max_price"
        assert rate["rate"] in error["message"]
    assert posts(sim, shipment["id"]) == []
    data_of(client.post(path, document={"rate": "cheapest",
                                        "max_price": rate["rate"]}))


def test_a_price_that_is_too_high_says_what_was_created(client, sim):
    answer = client.post("/shipments/buy", document=a_draft(
        rate="cheapest", max_price="0.01"))
    error = assert_error(answer, 422, "RATE.TOO_DEAR", easypost=False)
    own = answer.headers["Location"].rpartition("/")[2]
    assert own in error["message"] and "nothing was bought" in error["message"]
    assert posts(sim, own) == []


def test_a_rate_that_is_not_offered(client, sim):
    answer = client.post("/shipments/buy", document=a_draft(
        rate={"carrier": "USPS", "service": "Teleport"}))
    error = assert_error(answer, 422, "RATE.NOT_FOUND", easypost=False)
    assert "USPS GroundAdvantage" in error["message"]
    shipment = made(client)
    answer = client.post(f"/shipments/{shipment['id']}/buy", document={
        "rate": "rate_" + "0" * 32, "max_price": "10"})
    assert_error(answer, 422, "RATE.NOT_FOUND", easypost=False)
    assert posts(sim, shipment["id"]) == []


@pytest.mark.parametrize("change,code", [
    ({"rates": [], "messages": [{"carrier": "UPS", "type": "rate_error",
                                 "message": "No such zip."}]}, "RATE.NONE"),
    ({"rates": [{"id": "rate_1", "rate": "1.00", "currency": "USD"},
                {"id": "rate_2", "rate": "0.90", "currency": "EUR"}]},
     "RATE.AMBIGUOUS"),
    ({"rates": [{"id": "rate_1", "rate": 1.5}, {"id": "", "rate": "1"}, 7]},
     "RATE.NOT_FOUND"),
    ({"rates": None}, "RATE.NONE"),
])
def test_rates_that_cannot_be_bought(client, sim, change, code):
    shipment = made(client)
    sim.canned("GET", f"/v2/shipments/{shipment['id']}", shipment | change)
    error = assert_error(client.post(
        f"/shipments/{shipment['id']}/buy", document={"rate": "cheapest"}),
        422, code, easypost=False)
    if "messages" in change:
        assert "UPS: No such zip." in error["message"]
    assert posts(sim, shipment["id"]) == []


@pytest.mark.parametrize("body", [None, b"", b"{}"])
def test_a_refund(client, db, body):
    bought = data_of(client.post("/shipments/buy",
                                 document=a_draft(rate="cheapest")), 201)
    path = f"/shipments/{bought['id']}/refund"
    assert data_of(client.post(path, data=body))["refund_status"] \
        == "submitted"
    assert db.row("shipments", bought["id"])["refund_status"] == "submitted"
    assert_error(client.post(path, data=body), 422,
                 "SHIPMENT.REFUND.UNAVAILABLE", easypost=False)


# --- what EasyPost refuses, and what goes wrong there ---------------------------------


ROUTES = [
    ("POST", "/rates", a_draft(), "POST /v2/shipments"),
    ("POST", "/shipments", a_draft(), "POST /v2/shipments"),
    ("GET", "/shipments", None, "GET /v2/shipments"),
    ("GET", "/shipments/" + ID, None, "GET /v2/shipments/*"),
    ("POST", "/shipments/buy", a_draft(rate="cheapest"), "POST /v2/shipments"),
    ("POST", f"/shipments/{ID}/buy", {"rate": "rate_1"},
     "POST /v2/shipments/*/buy"),
    ("POST", f"/shipments/{ID}/buy", {"rate": "cheapest"},
     "GET /v2/shipments/*"),
    ("POST", f"/shipments/{ID}/refund", {}, "POST /v2/shipments/*/refund"),
    ("GET", "/tracking/NEVERSEEN123", None, "POST /v2/trackers"),
]
IDS = [f"{method} {path.replace(ID, 'id')} ({match.partition(' ')[0]})"
       for method, path, _, match in ROUTES]


def ask(client, route, **options):
    """Of a shipment of its own: one in doubt is looked for before it is bought
    again."""
    method, path, body, _ = route
    path = path.replace(ID, "shp_" + uuid.uuid4().hex)
    if body is not None:
        options["document"] = body
    return client(method, path, **options)


@pytest.mark.parametrize("status", [400, 401, 402, 403, 404, 422, 429, 500,
                                    503])
@pytest.mark.parametrize("route", ROUTES, ids=IDS)
def test_a_refusal_of_easypost_comes_through(client, sim, route, status):
    errors = ('[{"code":"X","field":"parcel.weight","message":"no",'
              '"suggestion":null},"text"]')
    body = ('{"error":{"message":["a",{"b":1.0}],"code":"SOME.CODE",'
            f'"errors":{errors}}}}}')
    sim.fault(route[3], "status", status=status, body=body,
              headers={"Retry-After": "7"} if status == 429 else {})
    answer = ask(client, route)
    assert answer.status_code == status, answer.text
    document = answer.json()
    assert set(document) == {"status", "error", "request_id"}
    assert document["error"]["code"] == "SOME.CODE"
    assert errors.encode() in answer.content
    assert b'["a",{"b":1.0}]' in answer.content
    assert answer.headers.get("Retry-After") \
        == ("7" if status == 429 else None)


@pytest.mark.parametrize("body", [
    "", "<html>no</html>", "[]", '{"error":"no"}', '{"error":{"code":7}}',
    '{"error":{"code":"A","message":"b"}}', '{"a":1,"a":2}',
    '{"error":{"code":"","message":"c","errors":[]}}'])
def test_a_refusal_of_another_shape_is_in_our_envelope(client, sim, body):
    sim.fault(f"GET /v2/shipments/{ID}", "status", status=404, body=body)
    answer = client.get("/shipments/" + ID)
    error = assert_error(answer, 404, easypost=False)
    assert error["code"] == ("A" if '"A"' in body else "UPSTREAM.REFUSED")
    assert error["message"] == "b" or error["code"] != "A"


@pytest.mark.parametrize("kind", ["reset_before", "close_before", "truncate",
                                  "garbage_http", "bad_gzip"])
@pytest.mark.parametrize("route", ROUTES, ids=IDS)
def test_the_connection_breaks(client, sim, route, kind):
    # libcurl repeats a read for each kept connection that had died: until the
    # end of this test each of them does.
    sim.fault(route[3], kind, times=0)
    answer = ask(client, route)
    error = assert_error(answer, 502, "UPSTREAM.IN_DOUBT", easypost=False)
    is_write = route[3].startswith("POST")
    assert ("may have been executed" in error["message"]) == is_write
    assert ("Nothing was bought" in error["message"]) \
        == (route[1] == "/shipments/buy")


@pytest.mark.parametrize("route", ROUTES, ids=IDS)
def test_an_answer_that_is_no_json(client, sim, route):
    sim.fault(route[3], "garbage")
    assert_error(ask(client, route), 502, "UPSTREAM.UNREADABLE",
                 easypost=False)


@pytest.mark.parametrize("body", ["[]", "{}", "null", '{"id":7}',
                                  '{"id":"other_1"}', '{"error":"no"}'])
@pytest.mark.parametrize("route", ROUTES, ids=IDS)
def test_json_that_is_not_what_was_asked_for(client, sim, route, body):
    sim.fault(route[3], "status", status=200, body=body)
    assert_error(ask(client, route), 502, "UPSTREAM.UNREADABLE",
                 easypost=False)


def test_a_purchase_with_another_answer_is_in_doubt(client, sim):
    shipment = made(client)
    path = f"/shipments/{shipment['id']}/buy"
    headers = {"Idempotency-Key": unique()}
    document = {"rate": cheapest(shipment)["id"]}
    sim.fault("POST /v2" + path, "status", status=200, body="{}")
    assert_error(client.post(path, document=document, headers=headers), 502,
                 "UPSTREAM.UNREADABLE")
    data = data_of(client.post(path, document=document, headers=headers))
    assert data["postage_label"]


def test_nobody_listens_there(odd_stack):
    with changed_settings(odd_stack, ["upstream"], {
            "EASYPOST_API_BASE": "http://127.0.0.1:1"}):
        client = Client(odd_stack, odd_stack.key)
        for route in ROUTES:
            assert_error(ask(client, route), 502, "UPSTREAM.UNREACHABLE",
                         easypost=False)


@pytest.mark.parametrize("kind", ["late", "slow", "gzip", "chunked"])
def test_slow_and_coded_answers_arrive(client, sim, kind):
    sim.fault("POST /v2/shipments", kind, seconds=1)
    shipment = made(client)
    sim.fault(f"GET /v2/shipments/{shipment['id']}", kind, seconds=1)
    assert data_of(client.get(f"/shipments/{shipment['id']}")) == shipment


# --- bad input: named, and nothing sent ---------------------------------------------


@pytest.mark.parametrize("path", ["/rates", "/shipments", "/shipments/buy",
                                  f"/shipments/{ID}/buy"])
@pytest.mark.parametrize("body", [
    b"", b"null", b"[]", b'"x"', b"{", b"{}x", b'{"a":1,"a":2}', b"\xff{}",
    b'{"a":"\\u0000"}', b'{"a":NaN}', b"[" * 100 + b"]" * 100,
    b'{"a":' * 100 + b"1" + b"}" * 100, b"a=b&c=d",
], ids=lambda body: repr(body[:14]))
def test_a_body_that_is_no_object(client, sim, path, body):
    before = len(sim.calls())
    error = assert_error(client.post(path, data=body), 400, "BODY.MALFORMED",
                         easypost=False)
    assert error["message"]
    assert len(sim.calls()) == before


LONG = "x" * 256
BAD_FIELDS = [
    ({"to_address": None}, "to_address"),
    ({"to_address": 7}, "to_address"),
    ({"to_address": "shp_1"}, "to_address"),
    ({"to_address": {"id": "prcl_1"}}, "to_address"),
    ({"to_address": {"id": 7}}, "to_address"),
    ({"to_address": TO | {"street1": 7}}, "to_address.street1"),
    ({"to_address": TO | {"name": LONG}}, "to_address.name"),
    ({"to_address": TO | {"country": "usa"}}, "to_address.country"),
    ({"to_address": TO | {"planet": "Mars"}}, "to_address.planet"),
    ({"to_address": TO | {"residential": "yes"}}, "to_address.residential"),
    ({"from_address": []}, "from_address"),
    ({"return_address": True}, "return_address"),
    ({"buyer_address": {"zip": "1" * 33}}, "buyer_address.zip"),
    ({"parcel": None}, "parcel"),
    ({"parcel": {}}, "parcel.weight"),
    ({"parcel": {"weight": 0}}, "parcel.weight"),
    ({"parcel": {"weight": -1}}, "parcel.weight"),
    ({"parcel": {"weight": 1e7}}, "parcel.weight"),
    ({"parcel": {"weight": "heavy"}}, "parcel.weight"),
    ({"parcel": {"weight": "0.0"}}, "parcel.weight"),
    ({"parcel": {"weight": True}}, "parcel.weight"),
    ({"parcel": PARCEL | {"length": []}}, "parcel.length"),
    ({"customs_info": 7}, "customs_info"),
    ({"customs_info": CUSTOMS | {"customs_items": {}}},
     "customs_info.customs_items"),
    ({"customs_info": CUSTOMS | {"customs_items": [ITEM] * 101}},
     "customs_info.customs_items"),
    ({"customs_info": CUSTOMS | {"customs_items": [ITEM, 7]}},
     "customs_info.customs_items[1]"),
    ({"customs_info": CUSTOMS | {"customs_items": [ITEM | {"value": "-1"}]}},
     "customs_info.customs_items[0].value"),
    ({"customs_info": CUSTOMS | {"customs_items": [ITEM | {"quantity": 1.5}]}},
     "customs_info.customs_items[0].quantity"),
    ({"customs_info": CUSTOMS | {"customs_items": [ITEM | {"quantity": 0}]}},
     "customs_info.customs_items[0].quantity"),
    ({"customs_info": CUSTOMS | {"customs_certify": "true"}},
     "customs_info.customs_certify"),
    ({"options": "PNG"}, "options"),
    ({"reference": LONG}, "reference"),
    ({"reference": 7}, "reference"),
    ({"carrier_accounts": "ca_1"}, "carrier_accounts"),
    ({"carrier_accounts": ["adr_1"]}, "carrier_accounts[0]"),
    ({"carrier_accounts": ["ca_1"] * 61}, "carrier_accounts"),
    ({"is_return": "no"}, "is_return"),
    ({"tax_identifiers": [{}]}, None),
    ({"color": "red"}, "color"),
    ({"x" * 300: 1}, "x" * 64),
]


@pytest.mark.parametrize("is_wrapped", [False, True])
@pytest.mark.parametrize("change,field", BAD_FIELDS)
def test_a_field_that_cannot_be(client, sim, change, field, is_wrapped):
    before = len(sim.calls())
    draft = a_draft() | change
    for path, beside in (("/rates", {}), ("/shipments", {}),
                         ("/shipments/buy", {"rate": "cheapest"})):
        answer = client.post(path, document={"shipment": draft, **beside}
                             if is_wrapped else draft | beside)
        if field is None:
            refused(answer, *[f"tax_identifiers[0].{name}" for name in (
                "entity", "tax_id", "tax_id_type")])
        else:
            refused(answer, field)
    assert len(sim.calls()) == before


def test_all_fields_are_named_up_to_twenty(client):
    error = refused(client.post("/shipments", document={
        "parcel": {"weight": 0, "width": "x"}, "color": 1}),
        "color", "to_address", "from_address", "parcel.width",
        "parcel.weight")
    assert "Allowed:" in error["errors"][0]["message"]
    many = client.post("/rates", document={f"x{n}": n for n in range(50)})
    assert len(many.json()["error"]["errors"]) == 20


@pytest.mark.parametrize("path,change,fields", [
    ("/rates", {"service": "Priority"}, ["service"]),
    ("/rates", {"rate": "cheapest"}, ["rate"]),
    ("/shipments", {"carrier": "USPS"}, ["carrier"]),
    ("/shipments", {"insurance": "-5"}, ["insurance"]),
    ("/shipments", {"shipment": {}},
     ["to_address", "from_address", "parcel", "reference", "to_address",
      "from_address", "parcel"]),
    ("/shipments/buy", {}, ["rate"]),
    ("/shipments/buy", {"rate": "dearest"}, ["rate"]),
    ("/shipments/buy", {"rate": "rate_1"}, ["rate"]),
    ("/shipments/buy", {"rate": {"id": "rate_1"}}, ["rate"]),
    ("/shipments/buy", {"rate": {"service": "Priority"}}, ["rate.carrier"]),
    ("/shipments/buy", {"rate": {"carrier": "USPS", "service": "Priority",
                                 "id": "rate_1"}}, ["rate"]),
    ("/shipments/buy", {"rate": {"carrier": "USPS", "service": "Priority",
                                 "color": 1}}, ["rate.color"]),
    ("/shipments/buy", {"rate": 7}, ["rate"]),
    ("/shipments/buy", {"rate": "cheapest", "service": "Priority"},
     ["service"]),
    ("/shipments/buy", {"rate": "cheapest", "max_price": "1e3"},
     ["max_price"]),
    ("/shipments/buy", {"rate": "cheapest", "max_price": -1}, ["max_price"]),
    ("/shipments/buy", {"rate": "cheapest", "max_price": True},
     ["max_price"]),
    ("/shipments/buy", {"rate": "cheapest", "end_shipper_id": "es_"},
     ["end_shipper_id"]),
    (f"/shipments/{ID}/buy", None, ["rate"]),
    (f"/shipments/{ID}/buy", {"rate": []}, ["rate"]),
    (f"/shipments/{ID}/buy", {"rate": "rate_1", "amount": 1}, ["amount"]),
    (f"/shipments/{ID}/buy", {"rate": "rate_1", "insurance": "a lot"},
     ["insurance"]),
    (f"/shipments/{ID}/refund", {"amount": 1}, ["amount"]),
])
def test_what_contradicts_itself(client, sim, path, change, fields):
    before = len(sim.calls())
    own = ID in path
    body = (change or {}) if own else a_draft() | change
    error = assert_error(client.post(path, document=body), 422,
                         "BODY.INVALID", easypost=False)
    if fields != [one["field"] for one in error["errors"]]:
        assert sorted(fields) == sorted(
            one["field"] for one in error["errors"]), error
    assert len(sim.calls()) == before


def test_a_price_with_an_exponent_is_refused(client):
    body = compact(a_draft(rate="cheapest"))[:-1] + b',"max_price":1e1}'
    refused(client.post("/shipments/buy", data=body), "max_price")


def test_a_name_with_escapes_is_refused(client, sim):
    before = len(sim.calls())
    body = compact(a_draft()).replace(b'"parcel"', b'"p\\u0061rcel"')
    assert_error(client.post("/shipments", data=body), 400, "BODY.MALFORMED",
                 easypost=False)
    assert len(sim.calls()) == before


@pytest.mark.parametrize("route", ["/shipments/{id}/buy", "/shipments/buy"])
@pytest.mark.parametrize("name,value", [
    ("max\\u005fprice", 0.01), ("insur\\u0061nce", "50")])
def test_a_name_with_escapes_is_not_left_out_of_a_purchase(
        client, sim, route, name, value):
    shipment = made(client)
    more = {} if "{id}" in route else {"shipment": a_draft()}
    body = json.dumps({"rate": "cheapest", "NAME": value} | more)
    before = len(posts(sim, "/v2/shipments"))
    assert_error(client.post(route.format(id=shipment["id"]),
                             data=body.replace("NAME", name)),
                 400, "BODY.MALFORMED", easypost=False)
    assert len(posts(sim, "/v2/shipments")) == before


def test_a_body_of_a_megabyte(client):
    pad = b" " * (1024 * 1024 - len(compact(a_draft())))
    assert client.post("/shipments",
                       data=compact(a_draft()) + pad).status_code == 201
    assert_error(client.post("/shipments", data=compact(a_draft()) + pad
                             + b" "), 413, "BODY.TOO_LARGE", easypost=False)


@pytest.mark.parametrize("path,field", [
    ("/shipments?limit=0", "limit"), ("/shipments?limit=101", "limit"),
    ("/shipments?limit=-1", "limit"), ("/shipments?limit=x", "limit"),
    ("/shipments?page_size=5", "page_size"), ("/shipments?after=x", "after"),
    ("/shipments?before_id=adr_1", "before_id"),
    ("/shipments?after=shp_1&before_id=shp_2", "after"),
    ("/shipments?start_datetime=yesterday", "start_datetime"),
    ("/shipments?end_datetime=2026-02-30", "end_datetime"),
    ("/shipments?end_datetime=2026-02-01&start_datetime=2026-02-02",
     "start_datetime"),
    ("/shipments?purchased=maybe", "purchased"),
    ("/shipments?include_children=1", "include_children"),
    (f"/shipments/{ID}?x=1", "x"), ("/shipments/adr_1", "id"),
    ("/shipments/shp_", "id"), ("/shipments/shp_%2e", "id"),
    ("/shipments/shp_1;x", "id"), ("/tracking/abc", "code"),
    ("/tracking/" + "1" * 65, "code"), ("/tracking/a%20b%20", "code"),
    ("/tracking/EZ1000000001?carrier=", "carrier"),
    ("/tracking/EZ1000000001?x=1", "x"),
])
def test_parameters_that_cannot_be(client, sim, path, field):
    before = len(sim.calls())
    error = assert_error(client.get(path), 400,
                         ("PARAMETER.INVALID", "PARAMETER.UNKNOWN"),
                         easypost=False)
    assert error["errors"][0]["field"] == field
    assert len(sim.calls()) == before


@pytest.mark.parametrize("path", [
    "/rates", "/shipments", "/shipments/buy", f"/shipments/{ID}/buy",
    f"/shipments/{ID}/refund"])
def test_writes_take_no_parameters(client, path):
    error = assert_error(client.post(path + "?x=1", document={}), 400,
                         "PARAMETER.UNKNOWN", easypost=False)
    assert error["errors"][0]["field"] == "x"


# --- who may -------------------------------------------------------------------------


@pytest.mark.parametrize("route", ROUTES, ids=IDS)
def test_scopes_and_keys(stack, sim, route):
    before = len(sim.calls())
    needed = "read" if route[0] == "GET" else "write"
    other = "write" if needed == "read" else "read"
    key = stack.service.make_key(unique("simple "), "test", scopes=other)
    assert_error(ask(Client(stack, key), route), 403, easypost=False)
    assert_error(ask(Client(stack), route), 401, easypost=False)
    for name in ("EASYPOST_TEST_API_KEY", "EASYPOST_API_KEY"):
        answer = ask(Client(stack, setting(stack, name)), route)
        assert_error(answer, (401, 403), easypost=False)
    assert len(sim.calls()) == before


@pytest.mark.parametrize("mode", ["test", "production"])
def test_both_modes(stack, sim, db, mode):
    client = Client(stack, stack.key if mode == "test"
                    else stack.key_production)
    bought = data_of(client.post("/shipments/buy",
                                 document=a_draft(rate="cheapest")), 201)
    assert bought["mode"] == mode
    assert db.row("shipments", bought["id"])["mode"] == mode
    other = Client(stack, stack.key_production if mode == "test"
                   else stack.key)
    assert_error(other.get(f"/shipments/{bought['id']}"), 404,
                 easypost=False)
    assert_error(other.post(f"/shipments/{bought['id']}/refund"), 404,
                 easypost=False)


def test_other_methods_are_named(client):
    answer = client("DELETE", "/shipments")
    assert_error(answer, 405, "METHOD.NOT_ALLOWED", easypost=False)
    assert answer.headers["Allow"] == "GET, HEAD, POST"
    assert client("PUT", "/rates").headers["Allow"] == "POST"


@pytest.mark.parametrize("path", ["/shipments/buy", "/shipments/batch-track"])
def test_a_route_of_its_own_is_no_shipments_id(client, path):
    answer = client.get(path)
    assert_error(answer, 405, "METHOD.NOT_ALLOWED", easypost=False)
    assert answer.headers["Allow"] == "POST"


# --- tracking --------------------------------------------------------------------------


def tracked(client, code, **options):
    return data_of(client.get(f"/tracking/{code}", **options))


def test_tracking_asks_once_and_then_knows(client, sim, db):
    code = "EZ2000000002"
    db("update trackers set recorded_at = 'epoch' where tracking_code = %s",
       code)
    first = tracked(client, code)
    assert first["source"] == "easypost"
    assert first["is_stale"] is False and first["as_of"].endswith("Z")
    assert first["tracker"]["status"] == "in_transit"
    assert db.row("trackers", first["tracker"]["id"])["tracking_code"] == code
    calls = len(sim.calls("/v2/trackers"))
    wait_until(lambda: db.one(
        "select recorded_at > now() - interval '1 minute' from trackers "
        "where easypost_id = %s", first["tracker"]["id"]), 10, "the record")
    again = tracked(client, code)
    assert again["source"] == "database" and again["age_seconds"] < 60
    assert again["is_stale"] is False
    assert len(sim.calls("/v2/trackers")) == calls
    for name, value in again["tracker"].items():
        if name != "tracking_details":
            assert value == first["tracker"][name], name
    assert len(again["tracker"]["tracking_details"]) \
        == len(first["tracker"]["tracking_details"])


def test_what_is_under_way_is_asked_again_when_it_is_old(client, sim, db):
    """Also when nothing has changed: then it is fresh again."""
    code = "EZ3000000003"
    own = tracked(client, code)["tracker"]["id"]

    def is_asked_again():
        # An event of EasyPost's may just have made it fresh.
        db("update trackers set recorded_at = now() - interval '901 seconds' "
           "where easypost_id = %s", own)
        return tracked(client, code)["source"] == "easypost"

    for _ in range(2):
        wait_until(is_asked_again, 10, "asking again")
        wait_until(lambda: tracked(client, code)["source"] == "database", 10,
                   "what was told")

    def is_told_from_here():
        db("update trackers set recorded_at = now() - interval '890 seconds' "
           "where easypost_id = %s", own)
        data = tracked(client, code)
        assert data["source"] == "database"
        return data["age_seconds"] >= 890

    wait_until(is_told_from_here, 10, "what is not yet old")


@pytest.mark.parametrize("code,status", [
    ("EZ4000000004", "delivered"), ("EZ5000000005", "return_to_sender"),
    ("EZ6000000006", "failure")])
def test_what_is_final_is_never_asked_again(client, sim, db, code, status):
    own = tracked(client, code)["tracker"]["id"]
    db("update trackers set recorded_at = 'epoch' where easypost_id = %s", own)
    calls = len(sim.calls("/v2/trackers"))
    data = tracked(client, code)
    assert (data["source"], data["tracker"]["status"]) == ("database", status)
    assert len(sim.calls("/v2/trackers")) == calls


@pytest.mark.parametrize("kind", ["reset_before", "status", "retry_after"])
def test_old_knowledge_while_easypost_is_down(client, sim, db, kind):
    code = "EZ1000000001"
    own = tracked(client, code)["tracker"]["id"]

    def told_when_it_is_old():
        # An event of EasyPost's may just have made it fresh; then nobody asks,
        # and the fault waits for the next call.
        db("update trackers set recorded_at = now() - interval '2 hours' "
           "where easypost_id = %s", own)
        data = tracked(client, code)
        return data if data["age_seconds"] >= 7200 else None

    sim.fault("POST /v2/trackers", kind)
    data = wait_until(told_when_it_is_old, 10, "old knowledge")
    assert (data["source"], data["is_stale"]) == ("database", True)
    assert 7200 <= data["age_seconds"] < 7300
    assert data["tracker"]["id"] == own
    assert tracked(client, code)["is_stale"] is False


def test_tracking_of_a_label_of_ours(client):
    bought = data_of(client.post("/shipments/buy",
                                 document=a_draft(rate="cheapest")), 201)
    data = tracked(client, bought["tracking_code"])
    assert data["source"] == "database"
    assert data["tracker"]["id"] == bought["tracker"]["id"]
    assert data["tracker"]["shipment_id"] == bought["id"]


def test_tracking_of_one_carrier(client, sim):
    code = unique("CODE")[:20]
    first = tracked(client, code + "?carrier=UPS")
    assert first["tracker"]["carrier"] == "UPS"
    assert tracked(client, code + "?carrier=ups")["source"] == "database"
    other = tracked(client, code + "?carrier=FedEx")
    assert (other["source"], other["tracker"]["carrier"]) \
        == ("easypost", "FedEx")


def test_tracking_of_a_mode(stack):
    test, production = (Client(stack, key)
                        for key in (stack.key, stack.key_production))
    code = unique("CODE")[:20] + "?carrier=UPS"
    assert tracked(test, code)["tracker"]["mode"] == "test"
    assert tracked(production, code)["tracker"]["mode"] == "production"


def test_the_age_is_a_setting(odd_stack):
    client = Client(odd_stack, odd_stack.key)
    code = "EZ2000000002"
    with changed_settings(odd_stack, ["upstream"], {"TRACKING_FRESH": "0"}):
        assert [tracked(client, code)["source"] for _ in range(3)] \
            == ["easypost"] * 3
    assert tracked(client, code)["source"] == "database"


# --- Idempotency-Key -------------------------------------------------------------------


def keyed(key=None):
    return {"Idempotency-Key": key or unique("key-")}


def buy_calls(sim, shipment_id):
    return [c for c in sim.calls(shipment_id) if c["path"].endswith("/buy")]


def claim_of(db, headers):
    rows = db("select state, status_code from idempotency_claims "
              "where idempotency_key = %s", headers["Idempotency-Key"])
    return rows[0] if rows else None


def test_the_same_request_again_has_the_same_answer(client, sim, db):
    headers, draft = keyed(), a_draft(rate="cheapest")
    first = client.post("/shipments/buy", document=draft, headers=headers)
    bought = data_of(first, 201)
    before = len(sim.calls())
    for _ in range(3):
        again = client.post("/shipments/buy", document=draft, headers=headers)
        assert (again.status_code, again.content) == (201, first.content)
        assert again.headers["Idempotent-Replayed"] == "true"
        assert again.headers["Location"] == first.headers["Location"]
    assert len(sim.calls()) == before
    assert claim_of(db, headers) == ("done", 201)
    path, key = f"/shipments/{bought['id']}/refund", keyed()
    first = client.post(path, headers=key)
    assert data_of(first)["refund_status"] == "submitted"
    again = client.post(path, headers=key)
    assert (again.status_code, again.content) == (200, first.content)


def test_a_shipment_is_created_once_for_a_key(client, sim):
    headers, draft = keyed(), a_draft()
    first = client.post("/shipments", document=draft, headers=headers)
    again = client.post("/shipments", document=draft, headers=headers)
    assert (again.status_code, again.content) == (201, first.content)


def test_another_request_with_the_same_key(client, sim):
    headers, shipment = keyed(), made(client)
    path = f"/shipments/{shipment['id']}/buy"
    rate = cheapest(shipment)["id"]
    data_of(client.post(path, document={"rate": rate}, headers=headers))
    before = len(sim.calls())
    for other in (lambda: client.post(path, document={"rate": "cheapest"},
                                      headers=headers),
                  lambda: client.post(path, data=b'{"rate": "%s"}'
                                      % rate.encode(), headers=headers),
                  lambda: client.post(f"/shipments/{ID}/buy",
                                      document={"rate": rate},
                                      headers=headers),
                  lambda: client.post(f"/shipments/{shipment['id']}/refund",
                                      headers=headers)):
        error = assert_error(other(), 422, "IDEMPOTENCY.MISMATCH",
                             easypost=False)
        assert error["errors"][0]["field"] == "Idempotency-Key"
    assert len(sim.calls()) == before


def test_a_key_belongs_to_its_caller(stack):
    headers, draft = keyed(), a_draft(rate="cheapest")
    ids = {data_of(Client(stack, key).post(
        "/shipments/buy", document=draft, headers=headers), 201)["id"]
        for key in (stack.key, stack.key_production)}
    assert len(ids) == 2


@pytest.mark.parametrize("key", ["x" * 256, "a b", "\u00e9"])
def test_a_key_that_is_none(client, sim, key):
    before = len(sim.calls())
    answer = client.post("/shipments/buy", document=a_draft(rate="cheapest"),
                         headers={"Idempotency-Key": key.encode()})
    error = assert_error(answer, 400, "HEADER.INVALID", easypost=False)
    assert error["errors"][0]["field"] == "Idempotency-Key"
    assert len(sim.calls()) == before
    assert client.post("/shipments/buy", document=a_draft(rate="cheapest"),
                       headers={"Idempotency-Key": unique("x" * 223)}
                       ).status_code == 201


def test_many_at_once_buy_once(stack, client, sim):
    shipment, headers = made(client), keyed()
    path = f"/shipments/{shipment['id']}/buy"
    body = {"rate": cheapest(shipment)["id"]}
    sim.fault(f"POST /v2{path}", "late", seconds=1)

    def one(_):
        return Client(stack, stack.key).post(path, document=body,
                                             headers=headers)

    answers = parallel(8, one)
    assert len(buy_calls(sim, shipment["id"])) == 1
    done = [answer for answer in answers if answer.status_code == 200]
    assert done
    for answer in answers:
        if answer.status_code != 200:
            assert_error(answer, 409, "IDEMPOTENCY.IN_FLIGHT", easypost=False)
            assert int(answer.headers["Retry-After"]) >= 1
    assert one(0).content == done[0].content


def test_many_at_once_create_and_buy_once(stack, client, sim, db):
    headers, draft = keyed(), a_draft(rate="cheapest")
    answers = parallel(8, lambda _: Client(stack, stack.key).post(
        "/shipments/buy", document=draft, headers=headers))
    assert {answer.status_code for answer in answers} <= {201, 409}
    last = client.post("/shipments/buy", document=draft, headers=headers)
    data_of(last, 201)
    assert {answer.content for answer in answers
            if answer.status_code == 201} <= {last.content}
    assert db.one("select count(*) from shipments where reference = %s",
                  draft["reference"]) == 1


@pytest.mark.parametrize("kind", ["reset_after", "close_after", "truncate",
                                  "timeout_after", "bad_gzip"])
def test_bought_but_nobody_was_told(client, sim, db, kind):
    """The effect was there, the answer was not: EasyPost is asked at once."""
    shipment, headers = made(client), keyed()
    path = f"/shipments/{shipment['id']}/buy"
    body = {"rate": cheapest(shipment)["id"]}
    sim.fault(f"POST /v2{path}", kind, seconds=0.5)
    first = client.post(path, document=body, headers=headers)
    assert data_of(first)["tracking_code"]
    assert claim_of(db, headers) == ("done", 200)
    assert client.post(path, document=body,
                       headers=headers).content == first.content
    assert len(buy_calls(sim, shipment["id"])) == 1
    assert db.row("shipments", shipment["id"])["tracking_code"] \
        == first.json()["data"]["tracking_code"]


def test_bought_and_nobody_tells(client, sim, db):
    """Nor can EasyPost be asked: the next attempt adopts it."""
    shipment, headers = made(client), keyed()
    path = f"/shipments/{shipment['id']}/buy"
    body = {"rate": cheapest(shipment)["id"]}
    sim.fault(f"POST /v2{path}", "reset_after")
    sim.fault(f"GET /v2/shipments/{shipment['id']}", "status", status=503)
    first = client.post(path, document=body, headers=headers)
    assert_error(first, 502, "UPSTREAM.IN_DOUBT", easypost=False)
    assert claim_of(db, headers)[0] == "in_doubt"
    again = client.post(path, document=body, headers=headers)
    assert data_of(again)["tracking_code"]
    assert "Idempotent-Replayed" not in again.headers
    assert len(buy_calls(sim, shipment["id"])) == 1
    assert client.post(path, document=body,
                       headers=headers).content == again.content
    assert claim_of(db, headers) == ("done", 200)


@pytest.mark.parametrize("kind", ["reset_after", "reset_before"])
def test_create_and_buy_survives_a_purchase_in_doubt(client, sim, db, kind):
    headers, draft = keyed(), a_draft(rate="cheapest")
    sim.fault("POST /v2/shipments/*/buy", kind)
    first = client.post("/shipments/buy", document=draft, headers=headers)
    if kind == "reset_before":
        error = assert_error(first, 502, "UPSTREAM.IN_DOUBT", easypost=False)
    bought = data_of(client.post("/shipments/buy", document=draft,
                                 headers=headers), 201)
    if kind == "reset_before":
        assert bought["id"] in error["message"]
    else:
        assert data_of(first, 201) == bought
    assert bought["selected_rate"]["id"] == cheapest(bought)["id"]
    assert db.one("select count(*) from shipments where reference = %s",
                  draft["reference"]) == 1
    assert len(buy_calls(sim, bought["id"])) \
        == (1 if kind == "reset_after" else 2)


def test_create_and_buy_survives_a_creation_in_doubt(client, sim, db):
    """Nothing was bought yet: another shipment costs nothing."""
    headers, draft = keyed(), a_draft(rate="cheapest")
    sim.fault("POST /v2/shipments", "reset_after")
    assert_error(client.post("/shipments/buy", document=draft,
                             headers=headers), 502, "UPSTREAM.IN_DOUBT",
                 easypost=False)
    bought = data_of(client.post("/shipments/buy", document=draft,
                                 headers=headers), 201)
    assert len(buy_calls(sim, bought["id"])) == 1


def test_a_refund_in_doubt(client, sim):
    bought = data_of(client.post("/shipments/buy",
                                 document=a_draft(rate="cheapest")), 201)
    path, headers = f"/shipments/{bought['id']}/refund", keyed()
    sim.fault(f"POST /v2{path}", "close_after")
    for _ in range(2):
        assert data_of(client.post(path, headers=headers))["refund_status"] \
            == "submitted"
    assert len([c for c in sim.calls(bought["id"])
                if c["path"].endswith("/refund")]) == 1


def test_a_failure_of_easyposts_own_leaves_a_doubt(client, sim, db):
    shipment, headers = made(client), keyed()
    path = f"/shipments/{shipment['id']}/buy"
    body = {"rate": cheapest(shipment)["id"]}
    sim.fault(f"POST /v2{path}", "status", status=500)
    assert client.post(path, document=body,
                       headers=headers).status_code == 500
    assert claim_of(db, headers)[0] == "in_doubt"
    sim.fault(f"GET /v2/shipments/{shipment['id']}", "status", status=503)
    assert client.post(path, document=body,
                       headers=headers).status_code == 503
    assert claim_of(db, headers)[0] == "in_doubt"
    assert len(buy_calls(sim, shipment["id"])) == 1
    data_of(client.post(path, document=body, headers=headers))
    assert len(buy_calls(sim, shipment["id"])) == 2


def test_a_purchase_that_ends_only_now_is_adopted(client, sim):
    """EasyPost still worked on it when it was asked; then it refuses the
    second one."""
    shipment, headers = made(client), keyed()
    path = f"/shipments/{shipment['id']}/buy"
    body = {"rate": cheapest(shipment)["id"]}
    sim.fault(f"POST /v2{path}", "reset_after")
    sim.canned("GET", f"/v2/shipments/{shipment['id']}", shipment, times=2)
    assert_error(client.post(path, document=body, headers=headers), 502,
                 easypost=False)
    assert data_of(client.post(path, document=body,
                               headers=headers))["tracking_code"]


def test_a_refusal_after_a_doubt_keeps_its_words(client, sim, db):
    shipment, headers = made(client), keyed()
    path = f"/shipments/{shipment['id']}/buy"
    body = {"rate": "rate_" + "0" * 32}
    sim.fault(f"POST /v2{path}", "reset_before")
    assert_error(client.post(path, document=body, headers=headers), 502,
                 easypost=False)
    sim.fault(f"POST /v2{path}", "status", status=422)
    error = assert_error(client.post(path, document=body, headers=headers),
                         422, "UNPROCESSABLE_ENTITY", easypost=False)
    assert error["message"] == "The simulator was told to fail."
    assert claim_of(db, headers)[0] == "in_doubt"


@pytest.mark.parametrize("status", [402, 422, 429])
def test_a_refusal_gives_the_key_back(client, sim, db, status):
    """Nothing was done: the wallet is filled, and the same request sent
    again."""
    shipment, headers = made(client), keyed()
    path = f"/shipments/{shipment['id']}/buy"
    body = {"rate": cheapest(shipment)["id"]}
    sim.fault(f"POST /v2{path}", "status", status=status,
              headers={"Retry-After": "3"})
    assert client.post(path, document=body,
                       headers=headers).status_code == status
    assert claim_of(db, headers) is None
    data_of(client.post(path, document=body, headers=headers))


def test_a_one_call_purchase_in_doubt_is_not_repeated(client, sim):
    headers = keyed()
    draft = a_draft(service="Priority", carrier="USPS",
                    carrier_accounts=accounts_of(client))
    sim.fault("POST /v2/shipments", "reset_after")
    assert_error(client.post("/shipments", document=draft, headers=headers),
                 502, easypost=False)
    before = len(posts(sim, "/v2/shipments"))
    for _ in range(2):
        assert_error(client.post("/shipments", document=draft,
                                 headers=headers), 409,
                     "IDEMPOTENCY.IN_DOUBT", easypost=False)
    assert len(posts(sim, "/v2/shipments")) == before


def test_a_worker_dies_during_the_purchase(odd_stack):
    client = Client(odd_stack, odd_stack.key)
    db = Database(odd_stack.database_url)
    sim = simulator(odd_stack)
    shipment, headers = made(client), keyed()
    path = f"/shipments/{shipment['id']}/buy"
    body = {"rate": cheapest(shipment)["id"]}
    sim.fault(f"POST /v2{path}", "late", seconds=5)
    answers = []
    thread = threading.Thread(target=lambda: answers.append(Client(
        odd_stack, odd_stack.key).post(path, document=body, headers=headers)))
    thread.start()
    wait_until(lambda: buy_calls(sim, shipment["id"]), 10, "the purchase")
    for pid in workers(odd_stack, "upstream"):
        os.kill(pid, signal.SIGKILL)
    thread.join(20)
    assert answers[0].status_code == 502
    wait_until(lambda: client.get("/shipments/" + shipment["id"])
               .status_code == 200, 10, "new workers")
    assert_error(client.post(path, document=body, headers=headers), 409,
                 "IDEMPOTENCY.IN_FLIGHT", easypost=False)
    db("update idempotency_claims set created_at = now() - interval '61 s' "
       "where idempotency_key in (%s, %s)", headers["Idempotency-Key"],
       "buy " + shipment["id"])
    assert data_of(client.post(path, document=body,
                               headers=headers))["tracking_code"]
    assert len(buy_calls(sim, shipment["id"])) == 1
    db.close()


def test_claims_end_after_a_day(client, db):
    headers, draft = keyed(), a_draft(rate="cheapest")
    first = data_of(client.post("/shipments/buy", document=draft,
                                headers=headers), 201)
    db("update idempotency_claims set expires_at = now() "
       "where idempotency_key = %s", headers["Idempotency-Key"])
    again = data_of(client.post("/shipments/buy", document=draft,
                                headers=headers), 201)
    assert first["id"] != again["id"]
    db("update idempotency_claims set expires_at = now() "
       "where idempotency_key = %s", headers["Idempotency-Key"])
    client.post("/shipments/buy", document=draft, headers=keyed())
    assert claim_of(db, headers) is None


# --- without a database, and while it is away -------------------------------------------


def test_without_a_database_there_is_no_guard(odd_stack):
    """Nor a gateway key: nobody gets in."""
    with changed_settings(odd_stack, ["upstream"], {"DATABASE_URL": ""}):
        client = Client(odd_stack, odd_stack.key)
        answer = client.post("/shipments/buy", headers=keyed(),
                             document=a_draft(rate="cheapest"))
        assert_error(answer, (401, 503), easypost=False)


def test_while_the_database_is_away(make_stack):
    """The records wait in the spool, the answers do not; what asks for a guard
    that cannot be is refused."""
    own = make_stack(conf={"WORKERS": "3", "WORKERS_OVERFLOW": "0"})
    client, sim = Client(own, own.key), simulator(own)
    shipment = made(client)     # the one worker knows the key now
    path = f"/shipments/{shipment['id']}/buy"
    own.postgres.crash()
    try:
        bought = data_of(client.post(path, document={"rate": "cheapest"}))
        other = data_of(client.post("/shipments/buy",
                                    document=a_draft(rate="cheapest")), 201)
        rates = data_of(client.post("/rates", document=a_draft()))
        assert data_of(client.get("/shipments?limit=5"))["shipments"]
        parcel = tracked(client, "EZ2000000002")
        assert parcel["source"] == "easypost"
        before = len(sim.calls())
        answer = client.post("/shipments/buy", headers=keyed(),
                             document=a_draft(rate="cheapest"))
        assert_error(answer, 503, "DATABASE.UNAVAILABLE", easypost=False)
        assert len(sim.calls()) == before
    finally:
        own.postgres.start()
    db = Database(own.database_url)
    wait_until(lambda: db.row("trackers", parcel["tracker"]["id"]), 60,
               "the spool")
    for one in (bought, other):
        row = wait_until(lambda one=one: db.row("shipments", one["id"]), 60,
                         "the spool")
        assert row["tracking_code"] == one["tracking_code"]
    assert wait_until(lambda: db.row("shipments", rates["shipment_id"]), 60,
                      "the spool")
    db.close()


# --- a server of this file ----------------------------------------------------------------


class serving:
    """Answers each request with what a function makes of its head and body."""

    def __init__(self, answer):
        self.answer = answer
        self.server = socket.create_server(("127.0.0.1", 0))
        self.thread = threading.Thread(target=self.run, daemon=True)

    def __enter__(self):
        self.thread.start()
        return self.server.getsockname()[1]

    def __exit__(self, *_):
        self.server.shutdown(socket.SHUT_RDWR)
        self.server.close()
        self.thread.join(5)

    def run(self):
        while True:
            try:
                wire, _ = self.server.accept()
            except OSError:
                return
            with wire:
                wire.settimeout(10)
                self.one(wire)

    def one(self, wire):
        text = b""
        while b"\r\n\r\n" not in text:
            text += wire.recv(65536)
        head, _, body = text.partition(b"\r\n\r\n")
        length = next(int(line.split(b":")[1]) for line in head.split(b"\r\n")
                      if line.lower().startswith(b"content-length:"))
        while len(body) < length:
            body += wire.recv(65536)
        data = self.answer(head + b"\r\n", body)
        wire.sendall(b"HTTP/1.1 201 OK\r\nContent-Type: application/json\r\n"
                     b"Connection: close\r\nContent-Length: %d\r\n\r\n"
                     % len(data) + data)
