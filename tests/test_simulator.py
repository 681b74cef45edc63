"""The simulator itself, pinned to what EasyPost's service does.

All other tests trust it; so it has to be exact about status codes, key order, money,
nulls, paging and refusals, and it has to refuse what the real service refuses.
"""

import base64
import gzip
import hashlib
import hmac
import http.client
import http.server
import json
import os
import re
import signal
import ssl
import subprocess
import sys
import threading
import time
import unicodedata

import pytest

HERE = os.path.dirname(os.path.abspath(__file__))
PROGRAM = os.path.join(HERE, "sim", "easypost_sim.py")
TEST_KEY, PRODUCTION_KEY = "EZTKsimulated", "EZAKsimulated"

FROM = {"name": "Ada North", "street1": "388 Market St", "street2": "Floor 2",
        "city": "San Francisco", "state": "CA", "zip": "94107", "country": "US",
        "phone": "4155550100", "email": "ada@example.com"}
TO = {"name": "Ben South", "street1": "12 Harbor Dr", "city": "Redondo Beach",
      "state": "CA", "zip": "90277", "country": "US"}
ABROAD = {"name": "Eva West", "street1": "14 Camden Passage", "city": "London",
          "zip": "N1 8EA", "country": "GB"}
NOWHERE = {"street1": "000 unknown street", "city": "Not A City", "state": "ZZ",
           "zip": "00001", "country": "US"}
PARCEL = {"length": 10, "width": 8, "height": 4, "weight": 15.4}
ITEM = {"description": "Mugs", "quantity": 2, "weight": 11, "value": 23.25,
        "hs_tariff_number": "691200", "origin_country": "US"}
SHIPMENT = {"from_address": FROM, "to_address": TO, "parcel": PARCEL}


class Answer:
    def __init__(self, answer, body):
        self.status = answer.status
        self.headers = {name.lower(): value for name, value in answer.getheaders()}
        self.body = body

    @property
    def json(self):
        return json.loads(self.body)

    @property
    def code(self):
        return self.json["error"]["code"]

    @property
    def fields(self):
        return [one["field"] for one in self.json["error"]["errors"]]


class Api:
    """One kept-alive connection, with a key."""

    def __init__(self, port, key=TEST_KEY):
        self.port = port
        self.key = key
        self.connection = http.client.HTTPConnection("127.0.0.1", port, timeout=10)

    def __call__(self, method, path, body=None, headers=None, key=None):
        if body is not None and not isinstance(body, (bytes, str)):
            body = json.dumps(body)
        sent = {"Authorization": f"Bearer {key or self.key}", **(headers or {})}
        sent = {name: value for name, value in sent.items() if value is not None}
        try:
            self.connection.request(method, path, body, sent)
            answer = self.connection.getresponse()
            return Answer(answer, answer.read())
        except Exception:
            self.connection.close()
            raise

    def get(self, path, **more):
        return self("GET", path, **more)

    def post(self, path, body=None, **more):
        return self("POST", path, body, **more)

    def sim(self, path, body=None, method=None):
        method = method or ("GET" if body is None else "POST")
        answer = self(method, "/_sim" + path, body)
        assert answer.status == 200, answer.body
        return answer.json

    # What most tests begin with.
    def shipment(self, **more):
        answer = self.post("/v2/shipments", {"shipment": {**SHIPMENT, **more}})
        assert answer.status == 201, answer.body
        return answer.json

    def bought(self, service="GroundAdvantage", **more):
        made = self.shipment(**more)
        rate = next(one for one in made["rates"] if one["service"] == service)
        answer = self.post(f"/v2/shipments/{made['id']}/buy", {"rate": rate})
        assert answer.status == 200, answer.body
        return answer.json


def start(folder, *options):
    port_file = os.path.join(folder, "port")
    if os.path.exists(port_file):
        os.unlink(port_file)
    process = subprocess.Popen(
        [sys.executable, PROGRAM, "--port-file", port_file, "--test-key", TEST_KEY,
         "--production-key", PRODUCTION_KEY, *options],
        stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
    limit = time.monotonic() + 10
    while not os.path.exists(port_file):
        assert process.poll() is None, process.stdout.read()
        assert time.monotonic() < limit, "the simulator does not start"
        time.sleep(0.01)
    with open(port_file, encoding="ascii") as file:
        return process, int(file.read())


def finish(process):
    process.send_signal(signal.SIGTERM)
    output, _ = process.communicate(timeout=10)
    assert process.returncode == 0
    assert output == b"", output.decode()


@pytest.fixture(scope="module")
def port(tmp_path_factory):
    process, number = start(str(tmp_path_factory.mktemp("simulator")))
    yield number
    finish(process)     # printed nothing: no handler has failed


@pytest.fixture
def api(port):
    one = Api(port)
    one.sim("/reset", {})
    one.sim("/settings", {"list_limit": 0, "auto_deliver": True, "latency": "none",
                          "retries": [0.05, 0.05, 0.05], "disable_after": 0,
                          "batch_seconds": 0.0})
    yield one
    one.connection.close()


def wait_until(condition, limit=5.0):
    end = time.monotonic() + limit
    while time.monotonic() < end:
        found = condition()
        if found:
            return found
        time.sleep(0.01)
    raise AssertionError("it did not happen")


class Receiver:
    """A webhook's receiver that keeps what it gets; `script`: statuses to answer."""

    def __init__(self):
        self.got, self.script = [], []
        receiver = self

        class Handler(http.server.BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def do_POST(self):
                length = int(self.headers["Content-Length"])
                receiver.got.append((self.path, dict(self.headers),
                                     self.rfile.read(length)))
                self.send_response(receiver.script.pop(0) if receiver.script else 200)
                self.send_header("Content-Length", "0")
                self.end_headers()

            def log_message(self, *_):
                pass

        self.server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.server.daemon_threads = True
        threading.Thread(target=self.server.serve_forever, daemon=True).start()
        self.url = f"http://127.0.0.1:{self.server.server_port}/hook"

    @property
    def events(self):
        return [json.loads(body) for _, _, body in self.got]


@pytest.fixture
def receiver():
    one = Receiver()
    yield one
    one.server.shutdown()
    one.server.server_close()


# -- bytes and headers -----------------------------------------------------------------

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


# -- keys --------------------------------------------------------------------------------

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


# -- shapes ---------------------------------------------------------------------------------

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
EVENT = ("description,mode,previous_attributes,created_at,pending_urls,completed_urls,"
         "updated_at,id,user_id,status,object")


def keys(document):
    return ",".join(document)


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


# -- shipments -----------------------------------------------------------------------------------

def test_nothing_is_known_before_the_purchase(api):
    made = api.shipment()
    for name in ("tracking_code", "postage_label", "selected_rate", "tracker",
                 "insurance", "refund_status", "batch_id", "order_id", "customs_info",
                 "scan_form"):
        assert made[name] is None
    assert made["fees"] == made["forms"] == []
    assert made["status"] == "unknown"
    assert made["return_address"] == made["from_address"]
    assert made["buyer_address"] == made["to_address"]
    assert {rate["carrier"] for rate in made["rates"]} == {"USPS", "UPS", "FedEx"}


def test_money_has_the_recorded_scales(api):
    made = api.bought()
    api.post(f"/v2/shipments/{made['id']}/insure", {"amount": 244.99})
    made = api.get(f"/v2/shipments/{made['id']}").json
    for rate in made["rates"]:
        for name in ("rate", "list_rate", "retail_rate"):
            assert re.fullmatch(r"\d+\.\d\d", rate[name])
        assert float(rate["rate"]) <= float(rate["list_rate"]) \
            <= float(rate["retail_rate"])
    assert made["insurance"] == "244.99"
    for fee in made["fees"]:
        assert re.fullmatch(r"\d+\.\d{5}", fee["amount"])
    smart = api.get(f"/v2/shipments/{made['id']}/smartrate").json["result"][0]
    assert isinstance(smart["rate"], float)
    assert list(smart) == sorted(smart)
    item = api.post("/v2/customs_items", {"customs_item": ITEM}).json
    assert item["value"] == "23.25"
    assert item["weight"] == 11.0
    user = api.get("/v2/users").json
    assert user["balance"] == "0.00000"


def test_prices_follow_weight_and_zone(api):
    def ground(**more):
        return next(float(rate["rate"]) for rate in api.shipment(**more)["rates"]
                    if rate["service"] == "GroundAdvantage")
    near, far = ground(), ground(to_address={**TO, "city": "Boston", "state": "MA",
                                             "zip": "02116"})
    heavy = ground(parcel={"weight": 160})
    assert near < far and near < heavy
    assert api.shipment()["usps_zone"] == 4


def test_buy_and_never_twice(api):
    made = api.bought()
    assert made["tracking_code"] == made["tracker"]["tracking_code"]
    assert made["tracker"]["shipment_id"] == made["id"]
    assert made["tracker"]["tracking_details"] == []
    assert made["postage_label"]["label_url"].endswith(".png")
    assert made["postage_label"]["label_file"] is None
    for verb in ("buy", "rerate"):
        again = api.post(f"/v2/shipments/{made['id']}/{verb}",
                         {"rate": made["selected_rate"]})
        assert (again.status, again.code) == (422, "SHIPMENT.POSTAGE.EXISTS")
    assert api.get(f"/v2/shipments/{made['id']}").json == made


def test_usps_codes_have_a_check_digit(api):
    code = api.bought()["tracking_code"]
    assert re.fullmatch(r"94\d{20}", code)
    total = sum(int(digit) * (3 if place % 2 else 1)
                for place, digit in enumerate(reversed(code)))
    assert total % 10 == 0


def test_buy_refuses_foreign_old_and_unknown_rates(api):
    one, other = api.shipment(), api.shipment()
    path = f"/v2/shipments/{one['id']}/buy"
    assert api.post(path, {"rate": other["rates"][0]}).status == 422
    assert api.post(path, {"rate": {"id": "rate_" + "0" * 32}}).status == 404
    assert api.post(path, {}).fields == ["rate"]
    fresh = api.post(f"/v2/shipments/{one['id']}/rerate", {}).json
    assert list(fresh) == ["rates"]
    assert api.post(path, {"rate": one["rates"][0]}).status == 422
    assert api.post(path, {"rate": fresh["rates"][0]}).status == 200


@pytest.mark.parametrize("body", [None, "", "{}", "[]", "null", " "])
def test_all_forms_of_no_parameters(api, body):
    made = api.bought()
    answer = api.post(f"/v2/shipments/{made['id']}/refund", body)
    assert (answer.status, answer.json["refund_status"]) == (200, "submitted")


def test_one_call_buy(api):
    usps = next(account["id"] for account in api.get("/v2/carrier_accounts").json
                if account["type"] == "UspsAccount")
    made = api.shipment(service="Priority", carrier_accounts=[usps], insurance="100")
    assert made["selected_rate"]["service"] == "Priority"
    assert made["tracking_code"] and made["insurance"] == "100.00"
    assert {rate["carrier"] for rate in made["rates"]} == {"USPS"}
    refused = api.post("/v2/shipments", {"shipment": {
        **SHIPMENT, "service": "Teleport", "carrier_accounts": [usps]}})
    assert refused.status == 422


def test_references_by_id(api):
    sender = api.post("/v2/addresses", {"address": FROM}).json
    recipient = api.post("/v2/addresses", {"address": TO}).json
    parcel = api.post("/v2/parcels", {"parcel": PARCEL}).json
    made = api.shipment(from_address={"id": sender["id"]}, to_address=recipient["id"],
                        parcel={"id": parcel["id"]})
    assert made["from_address"] == sender
    assert made["to_address"] == recipient
    assert made["parcel"] == parcel
    for name, key in (("to_address", "adr_" + "0" * 32), ("parcel", sender["id"])):
        assert api.post("/v2/shipments", {"shipment": {
            **SHIPMENT, name: {"id": key}}}).status == 404


def test_abroad_needs_customs(api):
    bare = api.shipment(to_address=ABROAD)
    assert bare["rates"] == [] and bare["usps_zone"] is None
    assert {one["type"] for one in bare["messages"]} == {"rate_error"}
    full = api.shipment(to_address=ABROAD, customs_info={"customs_items": [ITEM]})
    assert {rate["carrier"] for rate in full["rates"]} \
        == {"USPS", "UPS", "FedEx", "DHLExpress"}


def test_refund_and_its_answer_two_weeks_later(api):
    made = api.bought()
    path = f"/v2/shipments/{made['id']}"
    assert api.post(path + "/refund").json["refund_status"] == "submitted"
    assert api.post(path + "/refund").code == "SHIPMENT.REFUND.UNAVAILABLE"
    api.sim("/clock", {"now": "2036-01-01T00:00:00Z"})
    later = api.get(path).json
    assert later["refund_status"] == "refunded"
    assert later["status"] == "unknown", "the life of a refunded label is over"
    assert api.get("/v2/refunds").json["refunds"][0]["status"] == "refunded"
    assert api.sim("/events")[-1]["description"] == "refund.successful"


def test_refund_refuses_unbought_and_used_labels(api):
    assert api.post(f"/v2/shipments/{api.shipment()['id']}/refund").status == 422
    made = api.bought()
    api.sim(f"/tracker/{made['tracker']['id']}/advance", {"to": "in_transit"})
    assert api.post(f"/v2/shipments/{made['id']}/refund").status == 422


def test_refunds_by_tracking_code(api):
    made = api.bought()
    answer = api.post("/v2/refunds", {"refund": {
        "carrier": "USPS", "tracking_codes": [made["tracking_code"]]}})
    assert answer.status == 201
    assert answer.json[0]["shipment_id"] == made["id"]
    assert api.post("/v2/refunds", {"refund": {
        "carrier": "USPS", "tracking_codes": ["9400" * 5]}}).status == 404


def test_labels(api):
    made = api.bought()
    path = f"/v2/shipments/{made['id']}/label?file_format="
    assert api.get(path + "ZPL").json["postage_label"]["label_zpl_url"].endswith(".zpl")
    inline = api.get(path + "PNG").json["postage_label"]["label_file"]
    assert base64.b64decode(inline).startswith(b"\x89PNG\r\n\x1a\n")
    assert 70_000 < len(inline) < 75_000
    assert api.get(path + "GIF").status == 422
    big = api.bought(options={"label_inline_bytes": 1 << 20})
    assert len(big["postage_label"]["label_file"]) > 1_000_000
    unbought = api.shipment()["id"]
    assert api.get(f"/v2/shipments/{unbought}/label?file_format=ZPL").status == 422


def test_forms_are_201(api):
    made = api.bought()
    answer = api.post(f"/v2/shipments/{made['id']}/forms",
                      {"form": {"type": "label_qr_code"}})
    assert answer.status == 201
    assert keys(answer.json["forms"][0]) == (
        "object,id,created_at,updated_at,mode,form_type,form_url,"
        "submitted_electronically")


def test_stateless_rates_have_no_ids(api):
    answer = api.post("/beta/rates", {"shipment": SHIPMENT})
    assert answer.status == 200
    assert b'"id"' not in answer.body and b"created_at" not in answer.body
    assert answer.json["rates"][0]["object"] == "Rate"
    assert api.get("/v2/shipments").json["shipments"] == []


# -- addresses -----------------------------------------------------------------------------------

def test_verification(api):
    good = api.post("/v2/addresses", {"address": FROM, "verify": True})
    assert good.status == 201
    assert good.json["street1"] == "388 MARKET ST FLOOR 2"
    assert re.fullmatch(r"94107-\d{4}", good.json["zip"])
    assert list(good.json["verifications"]) == ["zip4", "delivery"]
    assert good.json["verifications"]["delivery"]["success"] is True
    bad = api.post("/v2/addresses", {"address": NOWHERE, "verify": True})
    assert bad.status == 201, "a failed plain verification is no error"
    assert bad.json["verifications"]["delivery"] == {
        "success": False, "details": {},
        "errors": [{"code": "E.ADDRESS.NOT_FOUND", "field": "address",
                    "message": "Address not found", "suggestion": None}]}
    key = bad.json["id"]
    for answer in (api.post("/v2/addresses", {"address": NOWHERE,
                                              "verify_strict": True}),
                   api.post("/v2/addresses/create_and_verify", {"address": NOWHERE}),
                   api.get(f"/v2/addresses/{key}/verify")):
        assert (answer.status, answer.code) == (422, "ADDRESS.VERIFY.FAILURE")
    wrapped = api.post("/v2/addresses/create_and_verify", {"address": FROM})
    assert wrapped.status == 200 and list(wrapped.json) == ["address"]


def test_unknown_content_is_accepted_and_ignored(api):
    answer = api.post("/v2/addresses", {"address": {"address": FROM}})
    assert answer.status == 201
    assert answer.json["street1"] is None and answer.json["country"] == "US"


def test_times_of_addresses_changed_their_zone(api):
    api.sim("/clock", {"now": "2025-05-09T20:37:54Z"})
    assert api.post("/v2/addresses", {"address": FROM}).json["created_at"] \
        == "2025-05-09T20:37:54+00:00"
    assert api.post("/v2/parcels", {"parcel": PARCEL}).json["created_at"] \
        == "2025-05-09T20:37:54Z"
    api.sim("/clock", {"now": "2026-05-09T20:37:54Z"})
    assert api.post("/v2/addresses", {"address": FROM}).json["created_at"] \
        == "2026-05-09T20:37:54Z"


# -- refusals ------------------------------------------------------------------------------------

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


# -- lists ----------------------------------------------------------------------------------------

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


# -- trackers -------------------------------------------------------------------------------------

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


# -- batches, orders, pickups and the rest ------------------------------------------------------------

def usps_accounts(api):
    return [account["id"] for account in api.get("/v2/carrier_accounts").json
            if account["type"] == "UspsAccount"]


def batch_in(api, key, state):
    return wait_until(lambda: (lambda one: one if one["state"] == state else None)(
        api.get(f"/v2/batches/{key}").json))


def test_a_batch_does_its_work_after_its_answer(api):
    line = {**SHIPMENT, "service": "GroundAdvantage",
            "carrier_accounts": usps_accounts(api)}
    api.sim("/settings", {"batch_seconds": 0.05})
    made = api.post("/v2/batches", {"batch": {"shipments": [line, line]}})
    assert (made.status, made.json["state"], made.json["shipments"]) \
        == (200, "creating", [])
    assert made.json["num_shipments"] == 2
    key = made.json["id"]
    assert api.post(f"/v2/batches/{key}/buy").status == 422, "not yet"
    assert batch_in(api, key, "created")["status"]["created"] == 2
    buying = api.post(f"/v2/batches/{key}/buy")
    assert buying.status == 200
    assert buying.json["shipments"][0]["batch_status"] == "queued_for_purchase"
    done = batch_in(api, key, "purchased")
    assert done["status"]["postage_purchased"] == 2
    assert all(one["tracking_code"] for one in done["shipments"])
    label = api.post(f"/v2/batches/{key}/label", {"file_format": "PDF"})
    assert label.json["state"] == "label_generating"
    assert batch_in(api, key, "label_generated")["label_url"].endswith(".pdf")
    assert api.post(f"/v2/batches/{key}/scan_form", {}).status == 200
    wait_until(lambda: api.get(f"/v2/batches/{key}").json["scan_form"])
    kinds = [one["description"] for one in api.sim("/events?object_id=" + key)]
    assert kinds[0] == "batch.created" and set(kinds[1:]) == {"batch.updated"}
    states = [json.loads(one["body"])["previous_attributes"].get("state")
              for one in api.sim("/events?object_id=" + key)]
    assert states[1:4] == ["creating", "created", "purchasing"]
    shipment = api.get(f"/v2/shipments/{done['shipments'][0]['id']}").json
    assert (shipment["batch_id"], shipment["batch_status"]) == (key, "postage_purchased")


def test_batches_add_and_remove(api):
    key = api.post("/v2/batches", {"batch": {}}).json["id"]
    batch_in(api, key, "created")
    line = {"shipments": [{"id": api.shipment()["id"]}]}
    assert api.post(f"/v2/batches/{key}/add_shipments", line).json["num_shipments"] == 1
    failed = api.post(f"/v2/batches/{key}/buy")
    assert failed.status == 200
    done = batch_in(api, key, "purchase_failed")
    assert done["shipments"][0]["batch_status"] == "postage_purchase_failed"
    answer = api.post(f"/v2/batches/{key}/remove_shipments", line)
    assert (answer.status, answer.json["num_shipments"]) == (200, 0)
    assert api.post(f"/v2/batches/{key}/remove_shipments", line).status == 422


def test_orders(api):
    made = api.post("/v2/orders", {"order": {
        "from_address": FROM, "to_address": TO,
        "shipments": [{"parcel": {"weight": 10.2}}, {"parcel": {"weight": 17.5}}]}})
    assert made.status == 201
    order = made.json
    first, second = order["shipments"]
    assert first["order_id"] == order["id"]
    parts = [next(float(rate["rate"]) for rate in one["rates"]
                  if rate["service"] == "Priority") for one in (first, second)]
    total = next(rate["rate"] for rate in order["rates"]
                 if rate["service"] == "Priority")
    assert total == f"{sum(parts):.2f}"
    path = f"/v2/orders/{order['id']}"
    assert api.get(path + "/rates").status == 200
    assert api.post(path + "/buy", {"carrier": "USPS", "service": "None"}).status == 422
    bought = api.post(path + "/buy", {"carrier": "USPS", "service": "Priority"})
    assert bought.status == 200
    assert all(one["tracking_code"] for one in bought.json["shipments"])
    assert api.post(path + "/buy",
                    {"carrier": "USPS", "service": "Priority"}).status == 422


def test_pickups_are_canceled_with_one_l(api):
    body = {"pickup": {"address": FROM, "shipment": {"id": api.bought()["id"]},
                       "min_datetime": "2026-08-01T00:00:00.00Z",
                       "max_datetime": "2026-08-02T00:00:00.00Z"}}
    made = api.post("/v2/pickups", body)
    assert (made.status, made.json["status"]) == (200, "unknown")
    path = f"/v2/pickups/{made.json['id']}"
    assert api.post(path + "/cancel").status == 422
    rate = made.json["pickup_rates"][0]
    bought = api.post(path + "/buy", {"carrier": rate["carrier"],
                                      "service": rate["service"]})
    assert (bought.status, bought.json["status"]) == (200, "scheduled")
    assert bought.json["confirmation"]
    assert api.post(path + "/cancel").json["status"] == "canceled"
    body["pickup"]["shipment"] = {"id": api.shipment()["id"]}
    assert api.post("/v2/pickups", body).status == 422


def test_insurances(api):
    made = api.post("/v2/insurances", {"insurance": {
        "from_address": FROM, "to_address": TO, "tracking_code": "EZ1000000001",
        "carrier": "USPS", "amount": "100"}})
    assert (made.status, made.json["status"]) == (201, "pending")
    assert made.json["amount"] == "100.00000"
    path = f"/v2/insurances/{made.json['id']}"
    wait_until(lambda: api.get(path).json["status"] == "purchased")
    assert api.post(path + "/refund").json["status"] == "cancelled"
    kinds = [one["description"] for one in api.sim("/events")]
    assert kinds[-2:] == ["insurance.purchased", "insurance.cancelled"]


def test_scan_forms_reports_and_claims(api):
    bought = api.bought()
    form = api.post("/v2/scan_forms", {"scan_form": {"shipments": [bought]}})
    assert (form.status, form.json["status"]) == (200, "created")
    assert form.json["tracking_codes"] == [bought["tracking_code"]]
    second = api.post("/v2/scan_forms", {"scan_form": {"shipments": [bought]}})
    assert second.json["status"] == "failed" and second.json["form_url"] is None
    report = api.post("/v2/reports/tracker", {"start_date": "2022-04-12",
                                              "end_date": "2022-04-13"}).json
    assert report["id"].startswith("trkrep_") and report["object"] == "TrackerReport"
    wait_until(lambda: api.get(f"/v2/reports/{report['id']}").json["status"] == "empty")
    assert api.get(f"/v2/reports/tracker/{report['id']}").status == 200
    assert api.get("/v2/reports/tracker").json["reports"][0]["id"] == report["id"]
    api.post(f"/v2/shipments/{bought['id']}/insure", {"amount": "100"})
    claim = api.post("/v2/claims", {"tracking_code": bought["tracking_code"],
                                    "type": "theft", "amount": 100}).json
    assert claim["requested_amount"] == "100.00"
    gone = api.post(f"/v2/claims/{claim['id']}/cancel").json
    assert [one["status"] for one in gone["history"]] == ["cancelled", "submitted"]


def test_rules_buy(api):
    made = api.shipment()
    answer = api.post(f"/v2/shipments/{made['id']}/luma", {"ruleset_name": "cheapest"})
    assert answer.status == 200
    assert keys(answer.json).startswith("id,object,mode,reference,to_address")
    assert answer.json["luma_info"]["ai_results"]
    cheapest = min(made["rates"], key=lambda rate: float(rate["rate"]))
    assert answer.json["selected_rate"]["id"] == cheapest["id"]


# -- events and webhooks ------------------------------------------------------------------------------

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


# -- faults, canned answers, log ------------------------------------------------------------------------

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


# -- the process -------------------------------------------------------------------------------------------

def test_the_same_seed_tells_the_same_story(tmp_path):
    def story():
        process, number = start(str(tmp_path), "--seed", "42", "--list-limit", "0")
        try:
            api = Api(number)
            api.sim("/clock", {"now": "2026-03-02T15:00:00Z", "step": 5})
            made = [api.bought()["id"] for _ in range(5)]
            api.sim("/clock", {"now": "2026-03-20T15:00:00Z"})
            return [api.get(f"/v2/shipments/{one}").body for one in made] \
                + [one["body"] for one in api.sim("/events")]
        finally:
            finish(process)
    assert story() == story()


def certificate(folder):
    pair = [str(folder / "cert.pem"), str(folder / "key.pem")]
    subprocess.run(
        ["openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "2",
         "-subj", "/CN=localhost", "-addext", "subjectAltName=IP:127.0.0.1",
         "-out", pair[0], "-keyout", pair[1]], check=True, capture_output=True)
    return pair


def test_tls_and_bad_tls(tmp_path):
    cert, key = certificate(tmp_path)
    plain_port = tmp_path / "control"
    process, number = start(str(tmp_path), "--tls-cert", cert, "--tls-key", key,
                            "--control-port-file", str(plain_port))
    try:
        wait_until(plain_port.exists)
        control = Api(int(plain_port.read_text()))
        context = ssl.create_default_context(cafile=cert)

        def connect():
            api = Api(number)
            api.connection = http.client.HTTPSConnection("127.0.0.1", number, timeout=10,
                                                         context=context)
            return api

        api = connect()
        big = api.bought(options={"label_inline_bytes": 1 << 20})
        assert len(big["postage_label"]["label_file"]) > 1_000_000
        control.sim("/fault", {"kind": "bad_tls", "times": 1})
        with pytest.raises(OSError):
            connect().get("/v2/users")
        assert connect().get("/v2/users").status == 200
    finally:
        finish(process)


def test_it_is_fast(api):
    """The gateway's own time is measured against this: it must not be felt."""
    key = api.post("/v2/addresses", {"address": FROM}).json["id"]
    best = []
    for _ in range(3):
        times = []
        for _ in range(300):
            began = time.perf_counter()
            api.get(f"/v2/addresses/{key}")
            times.append(time.perf_counter() - began)
        best.append(sorted(times)[150])
    assert min(best) < 0.001
