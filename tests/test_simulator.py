"""The simulator itself, pinned to what EasyPost's service does.

All other tests trust it; so it has to be exact about status codes, key order, money,
nulls, paging and refusals, and it has to refuse what the real service refuses.
"""

import base64
import gzip
import json
import os
import random
import re

import pytest

from simulated import (  # noqa: F401
    ABROAD, FROM, ITEM, PARCEL, PRODUCTION_KEY, SHIPMENT, TEST_KEY, TO, api, keys, port,
    wait_until)

# -- bytes and headers ---------------------------------------------------------


def test_bytes_are_compact_utf8_with_floats(api):
    answer = api.post("/v2/shipments", {"shipment": {
        **SHIPMENT, "reference": "München", "parcel": {**PARCEL, "weight": 16}}})
    assert answer.body == json.dumps(answer.json, separators=(",", ":"),
                                     ensure_ascii=False).encode()
    assert "München".encode() in answer.body
    assert b'"length":10.0,"width":8.0,"height":4.0' in answer.body
    assert b'"weight":16.0' in answer.body


def test_headers_of_every_answer(api):
    for answer in (api.get("/v2/users"), api.get("/v2/nothing"), api.post("/v2/parcels")):
        assert re.fullmatch("[0-9a-f]{32}", answer.headers["x-ep-request-uuid"])
        for name in ("x-runtime", "x-backend", "x-node", "x-version-label", "x-proxied",
                     "strict-transport-security", "x-frame-options", "cache-control"):
            assert name in answer.headers
        assert answer.headers["content-type"] == "application/json; charset=utf-8"
        assert not {"etag", "retry-after"} & set(answer.headers)


@pytest.mark.parametrize("folder, body", [
    ("addresses", {"address": FROM}), ("parcels", {"parcel": PARCEL}),
    ("customs_items", {"customs_item": ITEM}),
    ("customs_infos", {"customs_info": {"customs_items": [ITEM]}}),
    ("shipments", {"shipment": SHIPMENT}),
    ("trackers", {"tracker": {"tracking_code": "EZ4000000004"}}),
    ("end_shippers", {"address": {**FROM}}),
])
def test_created_is_201_with_a_location(api, folder, body):
    answer = api.post(f"/v2/{folder}", body)
    assert answer.status == 201
    key = answer.json["id"]
    assert answer.headers["location"] == f"/api/v2/{folder}/{key}"
    assert re.fullmatch("[a-z]+_[0-9a-f]{32}", key)
    assert api.get(f"/v2/{folder}/{key}").status == 200


def test_ids_are_version_4_but_for_addresses_events_and_webhooks(api):
    made = api.bought()
    assert made["id"][4 + 12] == made["tracker"]["id"][4 + 12] == "4"
    assert made["to_address"]["id"][4 + 12] == "1"
    assert api.sim("/events")[0]["id"][4 + 12] == "1"


def test_gzip_when_asked(api):
    made = api.shipment()
    plain = api.get(f"/v2/shipments/{made['id']}")
    packed = api.get(f"/v2/shipments/{made['id']}",
                     headers={"Accept-Encoding": "gzip, deflate"})
    assert "content-encoding" not in plain.headers
    assert packed.headers["content-encoding"] == "gzip"
    assert gzip.decompress(packed.body) == plain.body


def test_204_has_no_body_and_no_type(api):
    key = api.post("/v2/api_keys", {"mode": "test"})
    assert key.status == 201
    user = api.post("/v2/users", {"user": {"name": "Child"}})
    assert user.status == 201
    for path in (f"api_keys/{key.json['id']}", f"users/{user.json['id']}"):
        answer = api("DELETE", f"/v2/{path}")
        assert (answer.status, answer.body) == (204, b"")
        assert "content-type" not in answer.headers


def test_side_services_end_with_a_newline(api):
    me = api.get("/v2/users").json["id"]
    bought = api.bought()
    api.post(f"/v2/shipments/{bought['id']}/insure", {"amount": 100})
    claim = api.post("/v2/claims", {"tracking_code": bought["tracking_code"],
                                    "type": "damage", "amount": "100"})
    report = api.post("/v2/reports/shipment", {"start_date": "2022-04-12",
                                               "end_date": "2022-04-12"})
    brand = api("PATCH", f"/v2/users/{me}/brand", {"brand": {"color": "#123456"}})
    metadata = api.get("/v2/metadata/carriers")
    assert (claim.status, report.status, brand.status) == (201, 201, 200)
    for answer in (claim, report, brand, metadata):
        assert answer.body.endswith(b"}\n")
    assert metadata.body.isascii()
    assert not api.get("/v2/users").body.endswith(b"\n")


def test_head_and_keep_alive(api):
    head = api("HEAD", "/v2/users")
    assert (head.status, head.body) == (200, b"")
    assert int(head.headers["content-length"]) > 100
    before = api.sim("/stats")["accepted"]
    for _ in range(5):
        api.get("/v2/users")
    assert api.sim("/stats")["accepted"] == before


# -- keys ----------------------------------------------------------------------


@pytest.mark.parametrize("scheme", ["Bearer", "bearer", "Basic", "BASIC"])
def test_both_schemes_in_any_case(api, scheme):
    word = TEST_KEY if scheme.lower() == "bearer" else \
        base64.b64encode(f"{TEST_KEY}:".encode()).decode()
    assert api.get("/v2/users", headers={"Authorization": f"{scheme} {word}"}).status \
        == 200


@pytest.mark.parametrize("header", [None, "Bearer EZTKwrong", "Basic %%%", "Bearer "])
def test_without_a_key_401(api, header):
    assert api.get("/v2/users", headers={"Authorization": header}).status == 401


def test_disabled_key_403(api):
    key = api.post("/v2/api_keys", {"mode": "test"}).json
    assert api.get("/v2/users", key=key["key"]).status == 200
    assert api.post(f"/v2/api_keys/{key['id']}/disable").json["active"] is False
    refused = api.get("/v2/users", key=key["key"])
    assert (refused.status, refused.code) == (403, "APIKEY.INACTIVE")


def test_modes_do_not_see_each_other(api):
    made = api.shipment()
    assert made["mode"] == "test"
    path = f"/v2/shipments/{made['id']}"
    assert api.get(path, key=PRODUCTION_KEY).status == 404
    assert api.get("/v2/shipments", key=PRODUCTION_KEY).json["shipments"] == []
    live = api.post("/v2/parcels", {"parcel": PARCEL}, key=PRODUCTION_KEY).json
    assert live["mode"] == "production"


# -- shapes --------------------------------------------------------------------


ADDRESS = ("id,object,created_at,updated_at,name,company,street1,street2,city,state,zip,"
           "country,phone,email,mode,carrier_facility,residential,federal_tax_id,"
           "state_tax_id,verifications")
RATE = ("id,object,created_at,updated_at,mode,service,carrier,rate,currency,retail_rate,"
        "retail_currency,list_rate,list_currency,billing_type,delivery_days,"
        "delivery_date,delivery_date_guaranteed,est_delivery_days,shipment_id,"
        "carrier_account_id")
SHIPMENT_KEYS = (
    "id,created_at,is_return,messages,mode,options,reference,status,tracking_code,"
    "updated_at,batch_id,batch_status,batch_message,customs_info,from_address,insurance,"
    "order_id,parcel,postage_label,rates,refund_status,scan_form,selected_rate,tracker,"
    "to_address,usps_zone,return_address,buyer_address,forms,fees,object")
TRACKER_START = ("id,object,mode,tracking_code,status,status_detail,created_at,"
                 "updated_at,signed_by,weight,est_delivery_date,shipment_id,carrier,"
                 "tracking_details")


def test_key_order_of_a_shipment_and_its_parts(api):
    made = api.bought(to_address=ABROAD, customs_info={"customs_items": [ITEM]},
                      service="PriorityMailInternational")
    assert keys(made) == SHIPMENT_KEYS
    assert keys(made["from_address"]) == ADDRESS
    assert keys(made["parcel"]) == ("id,object,created_at,updated_at,length,width,height,"
                                    "predefined_package,weight,mode")
    assert keys(made["selected_rate"]) == RATE
    assert keys(made["tracker"]) == TRACKER_START + ",fees,carrier_detail,public_url"
    assert keys(made["postage_label"]) == (
        "object,id,created_at,updated_at,date_advance,integrated_form,label_date,"
        "label_resolution,label_size,label_type,label_file_type,label_url,label_pdf_url,"
        "label_zpl_url,label_epl2_url,label_file")
    assert keys(made["customs_info"]) == (
        "id,object,created_at,updated_at,contents_explanation,contents_type,"
        "customs_certify,customs_signer,eel_pfc,non_delivery_option,restriction_comments,"
        "restriction_type,mode,declaration,customs_items")
    assert keys(made["customs_info"]["customs_items"][0]) == (
        "id,object,created_at,updated_at,description,hs_tariff_number,origin_country,"
        "quantity,value,weight,code,mode,manufacturer,currency,eccn,"
        "printed_commodity_identifier")
    assert keys(made["fees"][0]) == "object,type,amount,charged,refunded"
    assert keys(api.shipment()["messages"][0]) == "carrier,carrier_account_id,type,message"


def test_key_order_of_a_tracker_by_itself(api):
    made = api.post("/v2/trackers",
                    {"tracker": {"tracking_code": "EZ4000000004"}}).json
    assert keys(made) == TRACKER_START + \
        ",carrier_detail,finalized,is_return,public_url,fees"
    detail = made["tracking_details"][-1]
    assert keys(detail) == ("object,message,description,status,status_detail,datetime,"
                            "source,carrier_code,tracking_location")
    assert keys(detail["tracking_location"]) == "object,city,state,country,zip"
    assert keys(made["carrier_detail"]) == (
        "object,service,container_type,est_delivery_date_local,est_delivery_time_local,"
        "origin_location,origin_tracking_location,destination_location,"
        "destination_tracking_location,guaranteed_delivery_date,alternate_identifier,"
        "initial_delivery_attempt")


def test_key_orders_of_the_recordings(api, corpus):
    """Whatever the recordings show of these objects, ours look the same."""
    recorded = {}

    def walk(document):
        if isinstance(document, dict):
            recorded.setdefault(document.get("object"), set()).add(keys(document))
            for value in document.values():
                walk(value)
        elif isinstance(document, list):
            for value in document:
                walk(value)

    with open(os.path.join(corpus, "interactions", "extra.jsonl"),
              encoding="utf-8") as file:
        for line in file:
            one = json.loads(line)
            if one["client"] != "java":     # sorts keys in its own way
                walk(one["response_body"])
    for document in one_of_each(api):
        name = document["object"]
        if name in recorded:
            assert keys(document) in recorded[name], name


def one_of_each(api):
    """A document of every kind that the simulator knows, nested ones too."""
    bought = api.bought(to_address=ABROAD, customs_info={"customs_items": [ITEM]},
                        service="PriorityMailInternational")
    api.bought()
    refund = api.post("/v2/refunds", {"refund": {
        "carrier": "USPS", "tracking_codes": [bought["tracking_code"]]}})
    order = api.post("/v2/orders", {"order": {
        "from_address": FROM, "to_address": TO,
        "shipments": [{"parcel": {"weight": 10}}]}})
    insurance = api.post("/v2/insurances", {"insurance": {
        "from_address": FROM, "to_address": TO, "tracking_code": "EZ1000000001",
        "amount": "100"}})
    shipper = api.post("/v2/end_shippers", {"address": FROM})
    event = api.get("/v2/events/" + api.sim("/events")[0]["id"])
    found = [bought, refund.json[0], order.json, insurance.json, shipper.json, event.json,
             api.get("/v2/users").json, api.get("/v2/api_keys").json["keys"][0],
             *api.get("/v2/carrier_accounts").json,
             api.post("/v2/webhooks", {"webhook": {"url": "http://127.0.0.1:9/"}}).json]
    for document in list(found):
        for value in document.values():
            if isinstance(value, dict) and "object" in value:
                found.append(value)
    return found


# -- refusals ------------------------------------------------------------------


@pytest.mark.parametrize("method, path, body, status, code, fields", [
    ("POST", "/v2/shipments", SHIPMENT, 422, "PARAMETER.REQUIRED", ["shipment"]),
    ("POST", "/v2/shipments", {}, 422, "PARAMETER.REQUIRED", ["shipment"]),
    ("POST", "/v2/shipments", {"shipment": {}}, 422, "PARAMETER.REQUIRED", ["shipment"]),
    ("POST", "/v2/shipments", {"shipment": {"parcel": PARCEL}}, 422,
     "PARAMETER.REQUIRED", ["to_address", "from_address"]),
    ("POST", "/v2/shipments", {"shipment": {**SHIPMENT, "parcel": None}}, 422,
     "PARAMETER.REQUIRED", ["parcel"]),
    ("POST", "/v2/shipments", {"shipment": {**SHIPMENT, "parcel": {"length": 1}}}, 422,
     "PARAMETER.REQUIRED", ["parcel.weight"]),
    ("POST", "/v2/shipments", {"shipment": {**SHIPMENT, "options": {
        "label_format": "GIF"}}}, 422, "PARAMETER.INVALID", ["options.label_format"]),
    ("POST", "/v2/shipments", {"shipment": [1]}, 422, "PARAMETER.INVALID", ["shipment"]),
    ("POST", "/v2/addresses", FROM, 422, "PARAMETER.REQUIRED", ["address"]),
    ("POST", "/v2/parcels", PARCEL, 422, "PARAMETER.REQUIRED", ["parcel"]),
    ("POST", "/v2/parcels", {"parcel": {"length": 1}}, 422, "PARAMETER.REQUIRED",
     ["weight"]),
    ("POST", "/v2/parcels", {"parcel": {"weight": "heavy"}}, 422, "PARAMETER.INVALID",
     ["weight"]),
    ("POST", "/v2/parcels", {"parcel": {"weight": 0}}, 422, "PARAMETER.INVALID",
     ["weight"]),
    ("POST", "/v2/parcels", {"parcel": {"weight": True}}, 422, "PARAMETER.INVALID",
     ["weight"]),
    ("POST", "/v2/parcels", {"parcel": {"weight": 10 ** 400}}, 422, "PARAMETER.INVALID",
     ["weight"]),
    ("POST", "/v2/customs_items", {"customs_item": {"description": "x"}}, 422,
     "PARAMETER.REQUIRED", ["quantity", "value", "weight", "origin_country"]),
    ("POST", "/v2/trackers", {"tracking_code": "EZ1000000001"}, 422,
     "PARAMETER.REQUIRED", ["tracker"]),
    ("POST", "/v2/trackers", {"tracker": {"tracking_code": "?"}}, 422,
     "TRACKER.CREATE.ERROR", []),
    ("POST", "/v2/webhooks", {"url": "http://x/"}, 422, "PARAMETER.REQUIRED",
     ["webhook"]),
    ("POST", "/v2/webhooks", {"webhook": {"url": "x"}}, 422, "PARAMETER.INVALID",
     ["url"]),
    ("POST", "/v2/refunds", {"refund": {"carrier": "USPS"}}, 422, "PARAMETER.REQUIRED",
     ["tracking_codes"]),
    ("POST", "/v2/batches", {"shipments": []}, 422, "PARAMETER.REQUIRED", ["batch"]),
    ("POST", "/v2/orders", {"order": {"to_address": TO}}, 422, "PARAMETER.REQUIRED",
     ["shipments"]),
    ("POST", "/v2/insurances", {"insurance": {"amount": "1"}}, 422,
     "PARAMETER.REQUIRED", ["from_address", "to_address", "tracking_code"]),
    ("POST", "/v2/end_shippers", {"end_shipper": FROM}, 422, "PARAMETER.REQUIRED",
     ["address"]),
    ("POST", "/v2/reports/shipment", {}, 422, "PARAMETER.REQUIRED",
     ["start_date", "end_date"]),
    ("GET", "/v2/parcels/par_123", None, 404, "NOT_FOUND", ["par_123"]),
    ("GET", "/v2/addresses/adr_123", None, 404, "NOT_FOUND", []),
    ("GET", "/v2/shipments/adr_123", None, 404, "NOT_FOUND", []),
    ("GET", "/v2/reports/unknown", None, 404, "NOT_FOUND", []),
    ("GET", "/v2/nothing", None, 404, "NOT_FOUND", []),
    ("GET", "/v3/shipments", None, 404, "NOT_FOUND", []),
    ("GET", "/v2//addresses", None, 404, "NOT_FOUND", []),
    ("GET", "/v2/shipments/", None, 404, "NOT_FOUND", []),
    ("PATCH", "/v2/shipments", {}, 405, "METHOD_NOT_ALLOWED", []),
    ("DELETE", "/v2/addresses", None, 405, "METHOD_NOT_ALLOWED", []),
    ("GET", "/v2/shipments/x/buy", None, 405, "METHOD_NOT_ALLOWED", []),
    ("POST", "/v2/users/children", {}, 405, "METHOD_NOT_ALLOWED", []),
    ("POST", "/v2/shipments", "{", 400, "BAD_REQUEST", []),
    ("POST", "/v2/shipments", "[1]", 400, "BAD_REQUEST", []),
    ("POST", "/v2/shipments", '{"shipment":NaN}', 400, "BAD_REQUEST", []),
    ("POST", "/v2/shipments", b"\xff\xfe", 400, "BAD_REQUEST", []),
    ("POST", "/v2/shipments", "[" * 100_000, 400, "BAD_REQUEST", []),
])
def test_refusals(api, method, path, body, status, code, fields):
    answer = api(method, path, body)
    assert (answer.status, answer.code, answer.fields) == (status, code, fields)
    assert list(answer.json["error"]) == ["code", "message", "errors"]


def test_claims_refuse_in_plain_words(api):
    answer = api.post("/v2/claims", {"type": "damage"})
    assert answer.status == 422
    assert all(isinstance(one, str) for one in answer.json["error"]["errors"])


@pytest.mark.parametrize("path", ["/v2/users/{}", "/v2/carrier_accounts/{}",
                                  "/v2/webhooks/{}", "/v2/users/{}/brand"])
def test_patch_and_put_are_the_same(api, path):
    found = {"users": api.get("/v2/users").json["id"],
             "carrier_accounts": api.get("/v2/carrier_accounts").json[0]["id"],
             "webhooks": api.post("/v2/webhooks", {"webhook": {
                 "url": "http://127.0.0.1:9/"}}).json["id"]}
    path = path.format(found[path.split("/")[2]])
    body = {"name": "New", "carrier_account": {"description": "New"},
            "brand": {"color": "#123456"}, "webhook_secret": "s"}
    answers = [api(method, path, body) for method in ("PATCH", "PUT")]
    assert answers[0].status == answers[1].status == (201 if "webhooks" in path else 200)
    assert list(answers[0].json) == list(answers[1].json)


@pytest.mark.parametrize("path, empty", [
    ("webhooks", {}), ("carrier_accounts", {}), ("trackers", {"success": True})])
def test_answers_to_delete(api, path, empty):
    key = {"webhooks": lambda: api.post("/v2/webhooks", {
               "webhook": {"url": "http://127.0.0.1:9/"}}),
           "carrier_accounts": lambda: api.post("/v2/carrier_accounts", {
               "carrier_account": {"type": "UpsAccount"}}),
           "trackers": lambda: api.post("/v2/trackers", {
               "tracker": {"tracking_code": "EZ1000000001"}})}[path]().json["id"]
    answer = api("DELETE", f"/v2/{path}/{key}")
    assert (answer.status, answer.json) == (200, empty)
    assert api.get(f"/v2/{path}/{key}").status == 404


ODD = [None, "", 0, -1, 1.5, 1e308, 10 ** 30, True, [], {}, [1], ["x"], [[]], [{}],
       {"id": 1}, {"id": []}, "x" * 300, "\ud800", "\0", "é", "2026-13-45"]
BODIES = {
    "addresses": {"address": FROM, "verify": True}, "parcels": {"parcel": PARCEL},
    "customs_infos": {"customs_info": {"customs_items": [ITEM]}},
    "shipments": {"shipment": {**SHIPMENT, "options": {"label_format": "PNG"},
                               "customs_info": {"customs_items": [ITEM]}}},
    "trackers": {"tracker": {"tracking_code": "EZ1000000001", "carrier": "USPS"}},
    "batches": {"batch": {"shipments": [SHIPMENT]}},
    "orders": {"order": {"from_address": FROM, "to_address": TO,
                         "shipments": [{"parcel": PARCEL}]}},
    "insurances": {"insurance": {"from_address": FROM, "to_address": TO,
                                 "tracking_code": "EZ1000000001", "amount": "100"}},
    "refunds": {"refund": {"carrier": "USPS", "tracking_codes": ["x"]}},
    "webhooks": {"webhook": {"url": "http://127.0.0.1:9/", "custom_headers": [
        {"name": "a", "value": "b"}]}},
    "carrier_accounts": {"carrier_account": {"type": "UpsAccount"}},
    "smartrate/deliver_by": {"from_zip": "94107", "to_zip": "10001",
                             "carriers": ["USPS"], "planned_ship_date": "2026-01-02"},
    "claims": {"tracking_code": "x", "type": "damage", "amount": "100"},
    "reports/shipment": {"start_date": "2026-01-01", "end_date": "2026-01-02"},
    "end_shippers": {"address": FROM}, "users": {"user": {"name": "Child"}},
}


def spoiled(document, chance):
    """The document with some of its values exchanged for odd ones, or gone."""
    if isinstance(document, dict):
        return {name: chance.choice(ODD) if chance.random() < 0.1
                else spoiled(value, chance) for name, value in document.items()
                if chance.random() > 0.03}
    if isinstance(document, list):
        return [spoiled(value, chance) for value in document]
    return document


@pytest.mark.parametrize("folder", BODIES)
def test_nothing_makes_it_fail(api, folder):
    chance = random.Random(folder)
    api.sim("/settings", {"auto_deliver": False})
    for _ in range(60):
        answer = api.post(f"/v2/{folder}", spoiled(BODIES[folder], chance))
        assert answer.status in (200, 201, 400, 404, 422), answer.body


# -- lists ---------------------------------------------------------------------


def numbered(api, count):
    return [api.post("/v2/addresses", {"address": {**TO, "name": f"N{number}"}}).json["id"]
            for number in range(count)]


def listed(api, query=""):
    page = api.get("/v2/addresses" + query).json
    assert list(page) == ["addresses", "has_more"]
    return [one["id"] for one in page["addresses"]], page["has_more"]


def test_pages_newest_first(api):
    made = numbered(api, 23)[::-1]
    assert listed(api) == (made[:20], True)
    assert listed(api, "?page_size=5") == (made[:5], True)
    assert listed(api, f"?page_size=5&before_id={made[4]}") == (made[5:10], True)
    assert listed(api, f"?page_size=5&before_id={made[19]}") == (made[20:], False)
    assert listed(api, f"?page_size=5&after_id={made[9]}") == (made[4:9], True)
    assert listed(api, f"?after_id={made[0]}") == ([], False)
    assert listed(api, "?page_size=500") == (made, False)
    # Keys without a value and escaped ones, as clients send them.
    assert listed(api, f"?before_id={made[20]}&include_children&purchased") \
        == (made[21:], False)
    assert listed(api, "?%70%61%67%65%5f%73%69%7a%65=3") == (made[:3], True)


def test_bad_pages(api):
    numbered(api, 1)
    for query in ("page_size=0", "page_size=-1", "page_size=x", "start_datetime=soon"):
        assert api.get("/v2/addresses?" + query).status == 422
    assert api.get("/v2/addresses?before_id=adr_1").status == 404


def test_between_two_times(api):
    made = []
    for day in (1, 2, 3):
        api.sim("/clock", {"now": f"2026-03-0{day}T12:00:00Z"})
        made += numbered(api, 1)
    assert listed(api, "?start_datetime=2026-03-02&end_datetime=2026-03-02T23:00:00Z") \
        == ([made[1]], False)
    assert listed(api, "?start_datetime=2026-03-02T00:00:00Z")[0] == [made[2], made[1]]


def test_shipments_that_are_bought(api):
    api.shipment()
    bought = api.bought()
    assert len(api.get("/v2/shipments").json["shipments"]) == 2
    page = api.get("/v2/shipments?purchased=true").json
    assert [one["id"] for one in page["shipments"]] == [bought["id"]]


def test_odd_lists(api):
    assert isinstance(api.get("/v2/carrier_accounts").json, list)
    assert isinstance(api.get("/v2/carrier_types").json, list)
    assert list(api.get("/v2/webhooks").json) == ["webhooks"]
    assert list(api.get("/v2/api_keys").json) == ["id", "keys", "children"]
    batches = [api.post("/v2/batches", {"batch": {}}).json["id"] for _ in range(3)]
    assert [one["id"] for one in api.get("/v2/batches").json["batches"]] == batches, \
        "batches alone come oldest first"


def test_trackers_by_code(api):
    for number in (1, 2, 3):
        api.post("/v2/trackers", {"tracker": {
            "tracking_code": f"EZ{number}00000000{number}"}})
    def codes(query):
        page = api.get("/v2/trackers?" + query).json
        return sorted(one["tracking_code"] for one in page["trackers"])
    both = ["EZ1000000001", "EZ3000000003"]
    assert codes("tracking_codes%5B%5D=EZ1000000001&tracking_codes%5B%5D=EZ3000000003") \
        == codes("tracking_codes=EZ1000000001&tracking_codes=EZ3000000003") == both
    assert codes("tracking_code=EZ1000000001&carrier=UPS") == []
    batch = api.post("/v2/trackers/batch", {"tracking_codes": both + ["none"]})
    assert batch.status == 200 and len(batch.json["trackers"]) == 2


def test_five_lists_a_second(api):
    api.sim("/settings", {"list_limit": 5})
    answers = [api.get("/v2/shipments") for _ in range(7)]
    assert [one.status for one in answers] == [200] * 5 + [429] * 2
    assert answers[-1].code == "RATE_LIMITED"
    assert "retry-after" not in answers[-1].headers
    assert api.get("/v2/users").status == 200, "only lists are counted"
    assert api.get("/v2/shipments", key=PRODUCTION_KEY).status == 200, "for each key"
    wait_until(lambda: api.get("/v2/shipments").status == 200)
