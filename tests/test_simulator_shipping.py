"""The simulator's shipments, addresses, batches, orders and what belongs to them."""

import base64
import json
import re

import pytest

from simulated import (  # noqa: F401
    ABROAD, FROM, ITEM, NOWHERE, PARCEL, SHIPMENT, TO, api, keys, port, wait_until)

# -- shipments -----------------------------------------------------------------


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


def test_what_a_carrier_bills_later(api):
    made = api.bought()
    bill = api.sim("/invoice/" + made["id"], {"amount": "1.6"})
    assert (bill["shipment_id"], bill["tracking_code"]) == (
        made["id"], made["tracking_code"])
    assert bill["adjustment_amount"] == bill["invoice_amount"] == "1.60000"
    again = api.sim("/invoice/" + bill["id"], {"amount": "-0.5"})
    assert (again["id"], again["adjustment_amount"]) == (bill["id"], "-0.50000")
    told = [json.loads(one["body"]) for one in api.sim("/events")[-2:]]
    assert [one["description"] for one in told] == [
        "shipment.invoice.created", "shipment.invoice.updated"]
    assert [one["result"]["adjustment_amount"] for one in told] == [
        "1.60000", "-0.50000"]
    assert told[1]["previous_attributes"] == {"adjustment_amount": "1.60000"}
    assert api("POST", "/_sim/invoice/" + api.shipment()["id"],
               {"amount": "1"}).status == 400


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


# -- addresses -----------------------------------------------------------------


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


# -- batches, orders, pickups and the rest -------------------------------------


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
