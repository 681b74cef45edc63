"""EasyPost's documents as EasyPost would write them, with ids of their own.

Each function makes one object with the documented fields in the documented
order; keyword arguments replace fields.
"""

import datetime
import uuid


def new_id(prefix):
    return f"{prefix}_{uuid.uuid4().hex}"


def at(minutes=0, *, days=0, form="%Y-%m-%dT%H:%M:%SZ"):
    """A moment near the recent past; whole seconds, as EasyPost writes it."""
    moment = START + datetime.timedelta(minutes=minutes, days=days)
    return moment.strftime(form)


NOW = datetime.datetime.now(datetime.timezone.utc).replace(microsecond=0)
START = NOW - datetime.timedelta(days=3)


def address(**fields):
    return {
        "id": new_id("adr"), "object": "Address",
        "created_at": at(form="%Y-%m-%dT%H:%M:%S+00:00"),
        "updated_at": at(form="%Y-%m-%dT%H:%M:%S+00:00"),
        "name": "Elizabeth Swan", "company": None,
        "street1": "179 N Harbor Dr", "street2": None,
        "city": "Redondo Beach", "state": "CA", "zip": "90277",
        "country": "US", "phone": "5555555555", "email": "test@example.com",
        "mode": "test", "carrier_facility": None, "residential": None,
        "federal_tax_id": None, "state_tax_id": None, "verifications": {},
    } | fields


def parcel(**fields):
    return {
        "id": new_id("prcl"), "object": "Parcel", "created_at": at(),
        "updated_at": at(), "length": 10.0, "width": 8.0, "height": 4.0,
        "predefined_package": None, "weight": 15.4, "mode": "test",
    } | fields


def customs_item(**fields):
    return {
        "id": new_id("cstitem"), "object": "CustomsItem", "created_at": at(),
        "updated_at": at(), "description": "Sweet shirts",
        "hs_tariff_number": "654321", "origin_country": "US", "quantity": 2,
        "value": "23.25", "weight": 11.0, "code": None, "mode": "test",
        "manufacturer": None, "currency": None, "eccn": None,
        "printed_commodity_identifier": None,
    } | fields


def customs_info(**fields):
    return {
        "id": new_id("cstinfo"), "object": "CustomsInfo", "created_at": at(),
        "updated_at": at(), "contents_explanation": "",
        "contents_type": "merchandise", "customs_certify": True,
        "customs_signer": "Steve Brule", "eel_pfc": "NOEEI 30.37(a)",
        "non_delivery_option": "return", "restriction_comments": None,
        "restriction_type": "none", "mode": "test", "declaration": None,
        "customs_items": [customs_item()],
    } | fields


def rate(shipment_id, price="6.07", **fields):
    return {
        "id": new_id("rate"), "object": "Rate", "created_at": at(),
        "updated_at": at(), "mode": "test", "service": "GroundAdvantage",
        "carrier": "USPS", "rate": price, "currency": "USD",
        "retail_rate": "8.45", "retail_currency": "USD", "list_rate": "6.40",
        "list_currency": "USD", "billing_type": "easypost",
        "delivery_days": 3, "delivery_date": None,
        "delivery_date_guaranteed": False, "est_delivery_days": 3,
        "shipment_id": shipment_id,
        "carrier_account_id": new_id("ca"),
    } | fields


def detail(minute, status, message, **fields):
    return {
        "object": "TrackingDetail", "message": message, "description": "",
        "status": status, "status_detail": "status_update",
        "datetime": at(minute), "source": "USPS", "carrier_code": "",
        "tracking_location": {
            "object": "TrackingLocation", "city": "HOUSTON", "state": "TX",
            "country": None, "zip": "77001"},
    } | fields


def tracker(details=(), **fields):
    details = list(details)
    return {
        "id": new_id("trk"), "object": "Tracker", "mode": "test",
        "tracking_code": "94" + str(uuid.uuid4().int)[:20],
        "status": details[-1]["status"] if details else "unknown",
        "status_detail": "unknown", "created_at": at(), "updated_at": at(),
        "signed_by": None, "weight": None, "est_delivery_date": None,
        "shipment_id": None, "carrier": "USPS",
        "tracking_details": details, "fees": [], "carrier_detail": None,
        "public_url": "https://track.easypost.com/djE6dHJrXw",
    } | fields


def shipment(bought=False, *, price="6.07", carrier="USPS",
             service="GroundAdvantage", **fields):
    """A shipment with three rates; bought: also with label and tracker."""
    own = fields.pop("id", None) or new_id("shp")
    offers = [rate(own, price, carrier=carrier, service=service),
              rate(own, "9.20", service="Priority"),
              rate(own, "31.40", service="Express", delivery_days=None)]
    document = {
        "created_at": at(), "is_return": False, "messages": [],
        "mode": "test", "options": {"currency": "USD", "date_advance": 0},
        "reference": None, "status": "unknown", "tracking_code": None,
        "updated_at": at(), "batch_id": None, "batch_status": None,
        "batch_message": None, "customs_info": None,
        "from_address": address(city="San Francisco", zip="94107"),
        "insurance": None, "order_id": None, "parcel": parcel(),
        "postage_label": None, "rates": offers, "refund_status": None,
        "scan_form": None, "selected_rate": None, "tracker": None,
        "to_address": address(), "usps_zone": 4,
        "return_address": None, "buyer_address": None, "forms": [],
        "fees": [], "id": own, "object": "Shipment",
    }
    document["return_address"] = document["from_address"]
    document["buyer_address"] = document["to_address"]
    if bought:
        document.update(purchase(document))
    return document | fields


def purchase(document):
    """The fields that buying the first rate changes."""
    own = tracker(shipment_id=document["id"])
    chosen = document["rates"][0]
    return {
        "status": "unknown", "tracking_code": own["tracking_code"],
        "updated_at": at(1), "selected_rate": chosen, "tracker": own,
        "postage_label": {
            "object": "PostageLabel", "id": new_id("pl"),
            "created_at": at(1), "updated_at": at(1), "date_advance": 0,
            "integrated_form": "none", "label_date": at(1),
            "label_resolution": 300, "label_size": "4x6",
            "label_type": "default", "label_file_type": "image/png",
            "label_url": "https://easypost-files.example/label.png",
            "label_pdf_url": None, "label_zpl_url": None,
            "label_epl2_url": None, "label_file": None},
        "fees": [
            {"object": "Fee", "type": "LabelFee", "amount": "0.00000",
             "charged": True, "refunded": False},
            {"object": "Fee", "type": "PostageFee",
             "amount": chosen["rate"] + "000", "charged": True,
             "refunded": False}],
    }


def batch(shipments=(), **fields):
    count = len(shipments)
    return {
        "id": new_id("batch"), "object": "Batch", "mode": "test",
        "state": "creating", "num_shipments": count, "reference": None,
        "created_at": at(), "updated_at": at(), "scan_form": None,
        "shipments": [
            {"batch_status": "created", "batch_message": None,
             "reference": None, "tracking_code": None, "id": one}
            for one in shipments],
        "status": {"created": count, "queued_for_purchase": 0,
                   "creation_failed": 0, "postage_purchased": 0,
                   "postage_purchase_failed": 0},
        "pickup": None, "label_url": None,
    } | fields


def refund(shipment_id, tracking_code, **fields):
    return {
        "id": new_id("rfnd"), "object": "Refund", "created_at": at(),
        "updated_at": at(), "tracking_code": tracking_code,
        "confirmation_number": None, "status": "submitted",
        "carrier": "USPS", "shipment_id": shipment_id,
    } | fields


def invoice(shipment_id, tracking_code, amount="1.60000", **fields):
    return {
        "id": new_id("shpinv"), "object": "ShipmentInvoice", "mode": "test",
        "status": "processed", "user_id": new_id("user"), "order_id": None,
        "shipment_id": shipment_id, "tracking_code": tracking_code,
        "label_date": at(1), "quoted_amount": "6.07", "quoted_currency": "USD",
        "initially_paid_amount": "6.07000", "initially_paid_currency": "USD",
        "initially_paid_payment_log": new_id("paylog"),
        "adjustment_reason": "Weight", "adjustment_amount": amount,
        "invoice_date": at(5), "invoice_type": "adjustment",
        "invoice_amount": amount, "invoice_currency": "USD",
        "invoice_payment_log": new_id("paylog"), "total_cost": "7.67000",
        "carrier_account": new_id("ca"), "carrier": "USPS",
        "claimed_details": {"weight": 15.4}, "captured_details": {"weight": 21},
    } | fields


def order(shipments, **fields):
    return {
        "mode": "test", "reference": "", "is_return": False, "options": {},
        "messages": [], "created_at": at(), "updated_at": at(),
        "customs_info": None, "from_address": shipments[0]["from_address"],
        "to_address": shipments[0]["to_address"],
        "buyer_address": shipments[0]["buyer_address"],
        "return_address": shipments[0]["return_address"],
        "shipments": shipments, "rates": [], "id": new_id("order"),
        "object": "Order",
    } | fields


def insurance(own_tracker, **fields):
    return {
        "id": new_id("ins"), "object": "Insurance", "mode": "test",
        "reference": None, "status": "purchased", "amount": "100.00000",
        "provider": "easypost", "provider_id": None,
        "to_address": address(), "from_address": address(),
        "shipment_id": own_tracker["shipment_id"], "tracker": own_tracker,
        "tracking_code": own_tracker["tracking_code"],
        "fee": {"object": "Fee", "type": "InsuranceFee", "amount": "1.00000",
                "charged": True, "refunded": False},
        "messages": [], "created_at": at(), "updated_at": at(),
    } | fields


def event(description, result, minute=0, **fields):
    return {
        "description": description, "mode": "test",
        "previous_attributes": {"status": "unknown"},
        "created_at": at(minute, form="%Y-%m-%dT%H:%M:%S.000Z"),
        "pending_urls": ["https://example.com/webhooks/easypost"],
        "completed_urls": [],
        "updated_at": at(minute, form="%Y-%m-%dT%H:%M:%S.000Z"),
        "id": "evt_" + uuid.uuid1().hex, "user_id": new_id("user"),
        "status": "pending", "object": "Event", "result": result,
    } | fields
