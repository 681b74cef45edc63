"""Refunds, insurances, claims, reports and end shippers."""

import addresses
import carriers
import errors
import objects
import shipments
import tracking
from errors import required, unprocessable
from reply import created, with_newline
from server import route
from store import parse_time, stamp


# -- refunds -------------------------------------------------------------------


@route("POST", "/v2/refunds")
def create_refunds(call):
    params = call.wrapped("refund")
    codes = params.get("tracking_codes")
    if isinstance(codes, str):
        codes = [code.strip() for code in codes.split(",") if code.strip()]
    missing = [name for name, value in (("carrier", params.get("carrier")),
                                        ("tracking_codes", codes)) if not value]
    if missing:
        raise required(*missing)
    if not isinstance(codes, list) or not all(isinstance(code, str) for code in codes):
        raise errors.invalid("tracking_codes", "must be strings")
    lines = [shipment_of_code(call, code, params["carrier"]) for code in codes]
    return 201, [shipments.submit_refund(call, line) for line in lines]


def shipment_of_code(call, code, carrier=None):
    for key in call.space.by_code.get(code, ()):
        shipment = call.space.objects.get(call.space.objects[key]["shipment_id"])
        if shipment and (not carrier
                         or shipment["selected_rate"]["carrier"] == carrier):
            return shipment
    raise errors.not_found()


@route("GET", "/v2/refunds", is_list=True)
def list_refunds(call):
    found, more = call.space.page("rfnd", call)
    return 200, {"refunds": found, "has_more": more}


@route("GET", "/v2/refunds/*")
def get_refund(call):
    return 200, call.space.get(call.args[0], "rfnd")


# -- insurances ----------------------------------------------------------------


@route("POST", "/v2/insurances")
def create_insurance(call):
    params = call.wrapped("insurance")
    missing = [name for name in ("from_address", "to_address", "tracking_code", "amount")
               if params.get(name) in (None, "", {})]
    if missing:
        raise required(*missing)
    fee = max(0.5, float(objects.money(params["amount"])) * 0.005)
    parts = {"to_address": addresses.resolve(call, params["to_address"], "to_address"),
             "from_address": addresses.resolve(call, params["from_address"],
                                               "from_address"),
             "shipment_id": None, "tracking_code": params["tracking_code"],
             "fee": objects.fee("InsuranceFee", f"{fee:.5f}")}
    for name in ("to_address", "from_address"):
        addresses.verify(parts[name])
    parts["tracker"] = insured_tracker(call, params)
    parts["shipment_id"] = parts["tracker"]["shipment_id"]
    insurance = objects.insurance(call.ids, call.mode, call.now, params, parts)
    call.space.put(insurance, call.now)
    generation = call.app.webhooks.generation

    def purchased():
        if call.app.webhooks.generation == generation \
                and insurance["status"] == "pending":
            call.now = call.store.now()
            insurance["status"] = "purchased"
            insurance["updated_at"] = stamp(call.now)
            call.emit("insurance.purchased", insurance, {"status": "pending"})

    call.app.loop.call_later(call.app.batch_seconds, purchased)
    return created("insurances", insurance)


def insured_tracker(call, params):
    code = params["tracking_code"]
    if not isinstance(code, str):
        raise errors.invalid("tracking_code", "must be a string")
    carrier = params.get("carrier") or carriers.carrier_of_code(code)
    if not carrier:
        raise required("carrier")
    return tracking.find_by_code(call.space, code, carrier, call.now) \
        or tracking.new_tracker(call, code, carrier)


@route("GET", "/v2/insurances", is_list=True)
def list_insurances(call):
    found, more = call.space.page("ins", call)
    return 200, {"insurances": found, "has_more": more}


@route("GET", "/v2/insurances/*")
def get_insurance(call):
    return 200, call.space.get(call.args[0], "ins")


@route("POST", "/v2/insurances/*/refund")
def refund_insurance(call):
    insurance = call.space.get(call.args[0], "ins")
    if insurance["status"] == "cancelled":
        raise unprocessable("UNPROCESSABLE_ENTITY", "The insurance is cancelled already.")
    previous = {"status": insurance["status"]}
    insurance["status"] = "cancelled"
    insurance["fee"] = {**insurance["fee"], "refunded": True}
    insurance["messages"] = ["Insurance was cancelled by the user."]
    insurance["updated_at"] = stamp(call.now)
    call.emit("insurance.cancelled", insurance, previous)
    return 200, insurance


# -- claims: a side service, its errors are plain strings ----------------------


CLAIM_TYPES = ("damage", "loss", "theft")


@route("POST", "/v2/claims")
def create_claim(call):
    missing = [name for name in ("tracking_code", "type", "amount")
               if not call.body.get(name)]
    if missing:
        raise errors.ApiError(422, "UNPROCESSABLE_ENTITY", "Invalid claim.",
                              [f"{name} is required" for name in missing])
    if call.body["type"] not in list(CLAIM_TYPES):
        raise errors.ApiError(422, "UNPROCESSABLE_ENTITY", "Invalid claim.",
                              ["type must be damage, loss or theft"])
    if not isinstance(call.body["tracking_code"], str):
        raise errors.invalid("tracking_code", "must be a string")
    parts = insured_facts(call, call.body["tracking_code"])
    parts["attachments"] = [
        objects.file_url(call.ids, "insurance", call.now, "png")
        for name in ("email_evidence_attachments", "invoice_attachments",
                     "supporting_documentation_attachments")
        for _ in call.body.get(name) or ()]
    claim = objects.claim(call.ids, call.mode, call.now, call.body, parts)
    call.space.put(claim, call.now)
    call.emit("claim.submitted", claim)
    return with_newline(201, claim)


def insured_facts(call, code):
    for insurance in call.space.all("ins"):
        if insurance["tracking_code"] == code:
            return {"insurance_id": insurance["id"],
                    "insurance_amount": objects.money(insurance["amount"]),
                    "shipment_id": insurance["shipment_id"]}
    shipment = shipment_of_code(call, code)
    if shipment["insurance"] is None:
        raise errors.not_found()
    key = call.space.recall(shipment["id"], "insurance_id") or call.ids.new("ins")
    call.space.remember(shipment["id"], insurance_id=key)
    return {"insurance_id": key, "insurance_amount": shipment["insurance"],
            "shipment_id": shipment["id"]}


@route("GET", "/v2/claims", is_list=True)
def list_claims(call):
    found, more = call.space.page("clm", call)
    return with_newline(200, {"claims": found, "has_more": more})


@route("GET", "/v2/claims/*")
def get_claim(call):
    return with_newline(200, call.space.get(call.args[0], "clm"))


@route("POST", "/v2/claims/*/cancel")
def cancel_claim(call):
    claim = call.space.get(call.args[0], "clm")
    if claim["status"] != "submitted":
        raise unprocessable("UNPROCESSABLE_ENTITY", "The claim cannot be cancelled.")
    when, detail = stamp(call.now), "Claim cancellation was requested."
    claim["history"] = [{"status": "cancelled", "status_detail": detail,
                         "timestamp": when}] + claim["history"]
    claim.update(status="cancelled", status_detail=detail, status_timestamp=when,
                 updated_at=when)
    call.emit("claim.cancelled", claim, {"status": "submitted"})
    return with_newline(200, claim)


# -- reports -------------------------------------------------------------------


REPORTS = {
    "payment_log": ("plrep", "PaymentLogReport"),
    "refund": ("refrep", "RefundReport"),
    "shipment": ("shprep", "ShipmentReport"),
    "shipment_invoice": ("shpinvrep", "ShipmentInvoiceReport"),
    "tracker": ("trkrep", "TrackerReport"),
    "cash_flow": ("cfrep", "CashFlowReport"),
}
LISTED = ("id", "object", "created_at", "updated_at", "start_date", "end_date", "mode",
          "status", "url", "url_expires_at", "include_children")


@route("POST", "/v2/reports/*")
def create_report(call):
    if call.args[0] not in REPORTS:
        raise errors.not_found()
    missing = [name for name in ("start_date", "end_date") if not call.body.get(name)]
    if missing:
        raise required(*missing)
    start, end = (str(call.body[name])[:10] for name in ("start_date", "end_date"))
    if parse_time(end, "end_date") < parse_time(start, "start_date"):
        raise errors.invalid("end_date", "must not be before start_date")
    prefix, name = REPORTS[call.args[0]]
    report = {
        "columns": None, "created_at": stamp(call.now), "end_date": end,
        "id": call.ids.new(prefix), "include_children": None, "mode": call.mode,
        "object": name, "start_date": start, "status": "new", "updated_at": None,
        "url": None, "url_expires_at": None, "utc_offset": None}
    call.space.put(report, call.now)
    call.emit("report.new", report)
    generation = call.app.webhooks.generation

    def done():
        if call.app.webhooks.generation == generation:
            call.now = call.store.now()
            finish(call, report)

    call.app.loop.call_later(call.app.batch_seconds, done)
    return with_newline(201, report)


def finish(call, report):
    """Available if there is anything to report on, else empty."""
    begin = parse_time(report["start_date"])
    until = parse_time(report["end_date"]) + 86400
    has_data = any(begin <= call.space.created[key] < until
                   for key in call.space.order.get("shp", ()))
    report["status"] = "available" if has_data else "empty"
    report["updated_at"] = stamp(call.now)
    report["include_children"] = False
    if has_data:
        report["url"] = objects.file_url(call.ids, "report", call.now, "csv")
        report["url_expires_at"] = stamp(call.now + 30)
    call.emit("report." + report["status"], report, {"status": "new"})


@route("GET", "/v2/reports/*", is_list=True)
def get_reports(call):
    """Of a type: the list.  Of an id: the report."""
    if call.args[0] in REPORTS:
        found, more = call.space.page(REPORTS[call.args[0]][0], call)
        return 200, {"reports": [{name: report[name] for name in LISTED}
                                 for report in found], "has_more": more}
    return one_report(call, call.args[0])


def one_report(call, key):
    for prefix, _ in REPORTS.values():
        if key.startswith(prefix + "_"):
            return with_newline(200, call.space.get(key, prefix))
    raise errors.not_found()


@route("GET", "/v2/reports/*/*")
def get_report(call):
    if call.args[0] not in REPORTS:
        raise errors.not_found()
    return one_report(call, call.args[1])


# -- end shippers --------------------------------------------------------------


def end_shipper_params(call):
    """Wrapped as an address, and complete."""
    params = call.wrapped("address")
    missing = [name for name in ("name", "street1", "city", "state", "zip", "country",
                                 "phone", "email") if not params.get(name)]
    if missing:
        raise required(*missing)
    return params


def corrected(shipper):
    for name in ("name", "company", "street1", "street2", "city", "state"):
        if shipper[name]:
            shipper[name] = shipper[name].upper()
    return shipper


@route("POST", "/v2/end_shippers")
def create_end_shipper(call):
    shipper = objects.end_shipper(call.ids, call.mode, call.now, end_shipper_params(call))
    return created("end_shippers", call.space.put(corrected(shipper), call.now))


@route("GET", "/v2/end_shippers", is_list=True)
def list_end_shippers(call):
    found, more = call.space.page("es", call)
    return 200, {"end_shippers": found, "has_more": more}


@route("GET", "/v2/end_shippers/*")
def get_end_shipper(call):
    return 200, call.space.get(call.args[0], "es")


@route("PUT", "/v2/end_shippers/*")
@route("PATCH", "/v2/end_shippers/*")
def update_end_shipper(call):
    shipper = call.space.get(call.args[0], "es")
    fresh = objects.end_shipper(call.ids, call.mode, call.now, end_shipper_params(call))
    for name in fresh:
        if name not in ("id", "created_at"):
            shipper[name] = fresh[name]
    return 200, corrected(shipper)
