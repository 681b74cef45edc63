"""The shape of each object: which keys, in which order, with which types.

Key order is what the real service writes (a gateway must relay it, and a digest of the
bytes depends on it).  Money is a decimal string: two digits for rates, insurance and
customs values, five for fees, balances and insurance amounts.  Weights and dimensions
are floats, so they keep their ".0".
"""

import base64
from decimal import Decimal, InvalidOperation

from errors import invalid, required
from store import stamp, stamp_address, stamp_ms

LARGEST = 1e6       # ounces or inches; more is no parcel

OPTIONS_ALWAYS = {"currency": "USD", "payment": {"type": "SENDER"}, "date_advance": 0}
FILES = "https://easypost-files.s3.us-west-2.amazonaws.com/files"


def number(value, field, largest=LARGEST):
    """Clients send 15.4, 15 and "15.4" alike."""
    if isinstance(value, bool) or not isinstance(value, (int, float, str)):
        raise invalid(field, "must be a number")
    try:
        result = float(value)
    except (ValueError, OverflowError):
        raise invalid(field, "must be a number") from None
    if not result < largest:
        raise invalid(field, "is too large")
    if result <= 0:
        raise invalid(field, "must be greater than 0")
    return result


def money(value, field="amount", scale=2):
    try:
        amount = Decimal(str(value))
    except InvalidOperation:
        raise invalid(field, "must be an amount") from None
    if isinstance(value, bool) or not amount.is_finite() or not 0 <= amount < 10 ** 9:
        raise invalid(field, "must be an amount")
    return f"{amount:.{scale}f}"


def text_or_null(params, name):
    value = params.get(name)
    if value is None or isinstance(value, str):
        return value
    if isinstance(value, (int, float)) and not isinstance(value, bool):
        return str(value)
    raise invalid(name, "must be a string")


def address(ids, mode, now, params):
    when = stamp_address(now)
    return {
        "id": ids.new("adr"), "object": "Address", "created_at": when,
        "updated_at": when,
        **{name: text_or_null(params, name)
           for name in ("name", "company", "street1", "street2", "city", "state",
                        "zip")},
        "country": text_or_null(params, "country") or "US",
        "phone": text_or_null(params, "phone"),
        "email": text_or_null(params, "email"),
        "mode": mode,
        "carrier_facility": text_or_null(params, "carrier_facility"),
        "residential": params.get("residential"),
        "federal_tax_id": text_or_null(params, "federal_tax_id"),
        "state_tax_id": text_or_null(params, "state_tax_id"),
        "verifications": {},
    }


def parcel(ids, mode, now, params, where=""):
    if params.get("weight") in (None, ""):
        raise required(where + "weight")
    when = stamp(now)
    sizes = {name: None if params.get(name) in (None, "")
             else number(params[name], where + name)
             for name in ("length", "width", "height")}
    return {
        "id": ids.new("prcl"), "object": "Parcel", "created_at": when,
        "updated_at": when, **sizes,
        "predefined_package": text_or_null(params, "predefined_package"),
        "weight": number(params["weight"], where + "weight"), "mode": mode,
    }


def customs_item(ids, mode, now, params):
    missing = [name for name in ("description", "quantity", "value", "weight",
                                 "origin_country") if params.get(name) in (None, "")]
    if missing:
        raise required(*missing)
    when = stamp(now)
    return {
        "id": ids.new("cstitem"), "object": "CustomsItem", "created_at": when,
        "updated_at": when, "description": text_or_null(params, "description"),
        "hs_tariff_number": text_or_null(params, "hs_tariff_number"),
        "origin_country": text_or_null(params, "origin_country"),
        "quantity": int(number(params["quantity"], "quantity")),
        "value": money(params["value"], "value"),
        "weight": number(params["weight"], "weight"),
        "code": text_or_null(params, "code"), "mode": mode,
        "manufacturer": text_or_null(params, "manufacturer"),
        "currency": text_or_null(params, "currency"),
        "eccn": text_or_null(params, "eccn"),
        "printed_commodity_identifier":
            text_or_null(params, "printed_commodity_identifier"),
    }


def customs_info(ids, mode, now, params, items):
    when = stamp(now)
    certify = params.get("customs_certify", False)
    return {
        "id": ids.new("cstinfo"), "object": "CustomsInfo", "created_at": when,
        "updated_at": when,
        "contents_explanation": text_or_null(params, "contents_explanation"),
        "contents_type": text_or_null(params, "contents_type") or "merchandise",
        "customs_certify": certify in (True, "true"),
        "customs_signer": text_or_null(params, "customs_signer"),
        "eel_pfc": text_or_null(params, "eel_pfc"),
        "non_delivery_option": text_or_null(params, "non_delivery_option") or "return",
        "restriction_comments": text_or_null(params, "restriction_comments"),
        "restriction_type": text_or_null(params, "restriction_type") or "none",
        "mode": mode, "declaration": text_or_null(params, "declaration"),
        "customs_items": items,
    }


def rate(ids, mode, now, quote, shipment_id):
    when = stamp(now)
    return {"id": ids.new("rate"), "object": "Rate", "created_at": when,
            "updated_at": when, **bare_rate(mode, quote, shipment_id)}


def bare_rate(mode, quote, shipment_id=None):
    """`quote` is a carriers.Quote."""
    shape = {
        "mode": mode, "service": quote.service, "carrier": quote.carrier,
        "rate": f"{quote.cents / 100:.2f}", "currency": "USD",
        "retail_rate": f"{quote.retail_cents / 100:.2f}", "retail_currency": "USD",
        "list_rate": f"{quote.list_cents / 100:.2f}", "list_currency": "USD",
        "billing_type": quote.billing_type, "delivery_days": quote.days,
        "delivery_date": quote.delivery_date,
        "delivery_date_guaranteed": quote.guaranteed, "est_delivery_days": quote.days,
    }
    if shipment_id is not None:
        shape["shipment_id"] = shipment_id
    shape["carrier_account_id"] = quote.account_id
    return shape


def shipment(ids, mode, now, params, parts):
    """`parts`: the from, to, return and buyer addresses, parcel and customs_info."""
    when = stamp(now)
    obj = {
        "id": ids.new("shp"), "created_at": when,
        "is_return": params.get("is_return") in (True, "true"), "messages": [],
        "mode": mode, "options": {**parts["options"], **OPTIONS_ALWAYS},
        "reference": text_or_null(params, "reference"), "status": "unknown",
        "tracking_code": None, "updated_at": when, "batch_id": None,
        "batch_status": None, "batch_message": None,
        "customs_info": parts["customs_info"], "from_address": parts["from_address"],
        "insurance": None, "order_id": None, "parcel": parts["parcel"],
        "postage_label": None, "rates": [], "refund_status": None, "scan_form": None,
        "selected_rate": None, "tracker": None, "to_address": parts["to_address"],
        "usps_zone": None, "return_address": parts["return_address"],
        "buyer_address": parts["buyer_address"], "forms": [], "fees": [],
        "object": "Shipment",
    }
    if "currency" in parts["options"]:
        obj["options"]["currency"] = parts["options"]["currency"]
    if params.get("tax_identifiers"):
        if not isinstance(params["tax_identifiers"], list) or not all(
                isinstance(tax, dict) for tax in params["tax_identifiers"]):
            raise invalid("tax_identifiers", "must be objects")
        obj["tax_identifiers"] = [
            {"entity": tax.get("entity"), "tax_id": "HIDDEN",
             "tax_id_type": tax.get("tax_id_type"),
             "issuing_country": tax.get("issuing_country")}
            for tax in params["tax_identifiers"]]
    return obj


def postage_label(ids, now, label_format):
    when, kind = stamp(now), label_format.lower()
    media = {"png": "image/png", "pdf": "application/pdf", "zpl": "application/zpl",
             "epl2": "application/epl2"}[kind]
    return {
        "object": "PostageLabel", "id": ids.new("pl"), "created_at": when,
        "updated_at": when, "date_advance": 0, "integrated_form": "none",
        "label_date": when, "label_resolution": 300, "label_size": "4x6",
        "label_type": "default", "label_file_type": media,
        "label_url": file_url(ids, "postage_label", now, kind),
        "label_pdf_url": None, "label_zpl_url": None, "label_epl2_url": None,
        "label_file": None,
    }


def file_url(ids, folder, now, ending):
    day = stamp(now)[:10].replace("-", "")
    return f"{FILES}/{folder}/{day}/e8{ids.random.getrandbits(128):032x}.{ending}"


def fee(kind, amount, charged=True):
    return {"object": "Fee", "type": kind, "amount": money(amount, scale=5),
            "charged": charged, "refunded": False}


def form(ids, mode, now, kind):
    when = stamp(now)
    return {"object": "Form", "id": ids.new("form"), "created_at": when,
            "updated_at": when, "mode": mode, "form_type": kind,
            "form_url": file_url(ids, "form", now, "pdf"),
            "submitted_electronically": None}


def location(city=None, state=None, country=None, zip_code=None):
    return {"object": "TrackingLocation", "city": city, "state": state,
            "country": country, "zip": zip_code}


def tracking_detail(carrier, now, step):
    """`step` is a carriers.Step."""
    return {"object": "TrackingDetail", "message": step.message,
            "description": step.description, "status": step.status,
            "status_detail": step.detail, "datetime": stamp(now),
            "source": step.source or carrier, "carrier_code": step.code,
            "tracking_location": step.place or location()}


def tracker(ids, mode, now, code, carrier, shipment_id=None):
    when, key = stamp(now), ids.new("trk")
    slug = base64.b64encode(f"v1:{key}".encode()).decode().rstrip("=")
    return {
        "id": key, "object": "Tracker", "mode": mode, "tracking_code": code,
        "status": "unknown", "status_detail": "unknown", "created_at": when,
        "updated_at": when, "signed_by": None, "weight": None,
        "est_delivery_date": None, "shipment_id": shipment_id, "carrier": carrier,
        "tracking_details": [], "carrier_detail": None, "finalized": False,
        "is_return": False, "public_url": f"https://track.easypost.com/{slug}",
        "fees": [],
    }


def embedded_tracker(full):
    """Inside a shipment the keys are fewer and stand in another order."""
    shape = {name: full[name] for name in (
        "id", "object", "mode", "tracking_code", "status", "status_detail",
        "created_at", "updated_at", "signed_by", "weight", "est_delivery_date",
        "shipment_id", "carrier", "tracking_details", "fees", "carrier_detail",
        "public_url")}
    return shape


def carrier_detail(service, origin, destination):
    """`origin`, `destination`: TrackingLocation, the second perhaps None."""
    def line(place):
        return f"{place['city']} {place['state']}, {place['zip']}"
    return {
        "object": "CarrierDetail", "service": service, "container_type": None,
        "est_delivery_date_local": None, "est_delivery_time_local": None,
        "origin_location": line(origin), "origin_tracking_location": origin,
        "destination_location": line(destination) if destination else None,
        "destination_tracking_location": None, "guaranteed_delivery_date": None,
        "alternate_identifier": None, "initial_delivery_attempt": None,
    }


def event(ids, mode, now, user_id, description, previous, urls):
    """Deliveries and GET of one event show whole seconds, only lists show ms."""
    when = stamp_ms(int(now))
    return {"description": description, "mode": mode, "previous_attributes": previous,
            "created_at": when, "pending_urls": urls, "completed_urls": [],
            "updated_at": when, "id": ids.new("evt"), "user_id": user_id,
            "status": "pending", "object": "Event"}


def webhook(ids, mode, now, url, headers):
    return {"id": ids.new("hook"), "object": "Webhook", "mode": mode, "url": url,
            "created_at": stamp(now), "disabled_at": None, "custom_headers": headers}


def refund(ids, now, code, carrier, shipment_id):
    when = stamp(now)
    return {"id": ids.new("rfnd"), "object": "Refund", "created_at": when,
            "updated_at": when, "tracking_code": code, "confirmation_number": None,
            "status": "submitted", "carrier": carrier, "shipment_id": shipment_id}


def shipment_invoice(ids, mode, now, shipment):
    """Of the label as it was bought; nothing is billed yet."""
    rate, parcel = shipment["selected_rate"], shipment["parcel"]
    paid = f"{Decimal(rate['rate']):.5f}"
    details = {"length": parcel["length"], "width": parcel["width"],
               "height": parcel["height"], "weight": parcel["weight"],
               "service": rate["service"]}
    return {
        "id": ids.new("shpinv"), "object": "ShipmentInvoice", "mode": mode,
        "status": "processed", "user_id": None, "order_id": None,
        "shipment_id": shipment["id"], "tracking_code": shipment["tracking_code"],
        "label_date": shipment["postage_label"]["label_date"],
        "quoted_amount": rate["rate"], "quoted_currency": rate["currency"],
        "initially_paid_amount": paid, "initially_paid_currency": rate["currency"],
        "initially_paid_payment_log": ids.new("paylog"),
        "adjustment_reason": "Weight", "adjustment_amount": "0.00000",
        "invoice_date": stamp(now), "invoice_type": "adjustment",
        "invoice_amount": "0.00000", "invoice_currency": rate["currency"],
        "invoice_payment_log": ids.new("paylog"), "total_cost": paid,
        "carrier_account": rate["carrier_account_id"], "carrier": rate["carrier"],
        "claimed_details": details, "captured_details": dict(details),
    }


def batch(ids, mode, now, reference):
    when = stamp(now)
    return {
        "id": ids.new("batch"), "object": "Batch", "mode": mode, "state": "creating",
        "num_shipments": 0, "reference": reference, "created_at": when,
        "updated_at": when, "scan_form": None, "shipments": [],
        "status": {"created": 0, "queued_for_purchase": 0, "creation_failed": 0,
                   "postage_purchased": 0, "postage_purchase_failed": 0},
        "pickup": None, "label_url": None,
    }


def batch_line(shipment_object):
    return {"batch_status": shipment_object["batch_status"],
            "batch_message": shipment_object["batch_message"],
            "reference": shipment_object["reference"],
            "tracking_code": shipment_object["tracking_code"],
            "id": shipment_object["id"]}


def order(ids, mode, now, params, parts):
    when = stamp(now)
    return {
        "mode": mode, "reference": text_or_null(params, "reference") or "",
        "is_return": params.get("is_return") in (True, "true"),
        "options": {"currency": "USD", "payment": {"type": "SENDER"}}, "messages": [],
        "created_at": when, "updated_at": when, "customs_info": parts["customs_info"],
        "from_address": parts["from_address"], "to_address": parts["to_address"],
        "buyer_address": parts["buyer_address"],
        "return_address": parts["return_address"], "shipments": [], "rates": [],
        "id": ids.new("order"), "object": "Order",
    }


def pickup(ids, mode, now, params, parts):
    when = stamp(now)
    key = ids.new("pickup")
    return {
        "id": key, "object": "Pickup", "created_at": when, "updated_at": when,
        "mode": mode, "status": "unknown",
        "reference": text_or_null(params, "reference"),
        "min_datetime": stamp(parts["min"]), "max_datetime": stamp(parts["max"]),
        "is_account_address": params.get("is_account_address") in (True, "true"),
        "instructions": text_or_null(params, "instructions"), "messages": [],
        "confirmation": None, "address": parts["address"], "carrier_accounts": [],
        "pickup_rates": [
            {"mode": mode, "service": service, "rate": price, "currency": "USD",
             "created_at": when, "updated_at": when, "carrier": carrier,
             "pickup_id": key, "id": ids.new("pickuprate"), "object": "PickupRate"}
            for carrier, service, price in parts["rates"]],
    }


def insurance(ids, mode, now, params, parts):
    when = stamp(now)
    return {
        "id": ids.new("ins"), "object": "Insurance", "mode": mode,
        "reference": text_or_null(params, "reference"), "status": "pending",
        "amount": money(params["amount"], scale=5), "provider": "easypost",
        "provider_id": None, "to_address": parts["to_address"],
        "from_address": parts["from_address"], "shipment_id": parts["shipment_id"],
        "tracker": parts["tracker"], "tracking_code": parts["tracking_code"],
        "fee": parts["fee"], "messages": [], "created_at": when, "updated_at": when,
    }


def scan_form(ids, now, codes, sender, batch_id, failure=None):
    when = stamp(now)
    made = failure is None
    return {
        "id": ids.new("sf"), "object": "ScanForm", "created_at": when,
        "updated_at": when, "tracking_codes": codes,
        "address": sender if made else None,
        "status": "created" if made else "failed", "message": failure,
        "form_url": file_url(ids, "scan_form", now, "pdf") if made else None,
        "form_file_type": None, "batch_id": batch_id, "confirmation": None,
    }


def claim(ids, mode, now, params, parts):
    when = stamp(now)
    return {
        "approved_amount": None, "attachments": parts["attachments"],
        "check_delivery_address": None,
        "contact_email": text_or_null(params, "contact_email"), "created_at": when,
        "description": text_or_null(params, "description"),
        "history": [{"status": "submitted", "status_detail": "Claim was created.",
                     "timestamp": when}],
        "id": ids.new("clm"), "insurance_amount": parts["insurance_amount"],
        "insurance_id": parts["insurance_id"], "mode": mode, "object": "Claim",
        "payment_method": "easypost_wallet", "recipient_name": None,
        "requested_amount": money(params["amount"]), "salvage_value": None,
        "shipment_id": parts["shipment_id"], "status": "submitted",
        "status_detail": "Claim was created.", "status_timestamp": when,
        "tracking_code": params["tracking_code"], "type": params["type"],
        "updated_at": when,
    }


def end_shipper(ids, mode, now, params):
    when = stamp_address(now)
    return {"id": ids.new("es"), "object": "EndShipper", "mode": mode,
            "created_at": when, "updated_at": when,
            **{name: text_or_null(params, name)
               for name in ("name", "company", "street1", "street2", "city", "state",
                            "zip", "country", "phone", "email")}}


def carrier_account(ids, now, kind, readable, description, billing_type, is_own):
    when = stamp(now)
    obj = {
        "id": ids.new("ca"), "object": "CarrierAccount", "type": kind, "clone": False,
        "created_at": when, "updated_at": when, "description": description,
        "reference": None, "billing_type": billing_type, "readable": readable,
        "logo": None, "fields": {"credentials": {}}, "credentials": {},
    }
    if is_own:
        obj["fields"]["test_credentials"] = {}
        obj["test_credentials"] = {}
    return obj


def user(key, parent_id, name, created, phone="5555555555"):
    return {"id": key, "object": "User", "parent_id": parent_id, "name": name,
            "phone_number": phone, "verified": True, "created_at": created,
            "default_carbon_offset": False, "has_elevate_access": False}


def account_facts(email):
    return {"balance": "0.00000", "price_per_shipment": "0.00000",
            "recharge_amount": "100.00", "secondary_recharge_amount": "100.00",
            "recharge_threshold": "0.00", "has_billing_method": True,
            "cc_fee_rate": "0.0375", "default_insurance_amount": "50.00",
            "insurance_fee_rate": "0.005", "insurance_fee_minimum": "0.50",
            "email": email}


def api_key(key_id, key, mode, created, active=True):
    return {"object": "ApiKey", "active": active, "key": key, "mode": mode,
            "created_at": created, "id": key_id}
