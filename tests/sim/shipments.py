"""Shipments: rate, buy, refund, insure, label; and rates on their own."""

import base64
import struct
import zlib
from datetime import datetime, timedelta
from decimal import Decimal
from random import Random

import addresses
import carriers
import errors
import objects
import tracking
from errors import unprocessable
from reply import created
from server import route
from store import ACTIONS, parse_time, stamp

LABEL_BYTES = 54000             # of an inline PNG, as large as recorded ones
LABEL_LARGEST = 1 << 23
REFUND_DAYS = 14                # the post office's answer to a refund takes so long
LABEL_FORMATS = {"PNG", "PDF", "ZPL", "EPL2"}
REFUSED_FOR_REFUND = {"in_transit", "out_for_delivery", "delivered",
                      "available_for_pickup", "return_to_sender", "failure"}


def account_triples(space, wanted=None):
    """(carrier, account id, billing type) of the user's accounts, or of those wanted."""
    triples = []
    if wanted is not None and not isinstance(wanted, list):
        raise errors.invalid("carrier_accounts", "must be an array")
    keys = None if not wanted else \
        [one["id"] if isinstance(one, dict) and "id" in one else one for one in wanted]
    for account in space.all("ca") if keys is None else \
            [space.get(key, "ca") for key in keys]:
        carrier = space.recall(account["id"], "carrier")
        if carrier:
            triples.append((carrier, account["id"], account["billing_type"]))
    return triples


def options_of(params):
    options = params.get("options") or {}
    if not isinstance(options, dict):
        raise errors.invalid("options", "must be an object")
    kind = options.get("label_format")
    if kind is not None and str(kind).upper() not in LABEL_FORMATS:
        raise errors.invalid("options.label_format", "must be PNG, PDF, ZPL or EPL2")
    return options


def make(call, params, parcel=None, route_parts=None):
    """A rated shipment from its parameters; `route_parts` come from an order."""
    parts = dict(route_parts) if route_parts else address_parts(call, params)
    parts["options"] = options_of(params)
    parts["customs_info"] = addresses.resolve_customs_info(
        call, params.get("customs_info")) or parts.get("customs_info")
    parts["parcel"] = addresses.resolve_parcel(call, params.get("parcel")) \
        if parcel is None else parcel
    shipment = objects.shipment(call.ids, call.mode, call.now, params, parts)
    call.space.put(shipment, call.now)
    accounts = params.get("carrier_accounts")
    call.space.remember(shipment["id"], accounts=accounts, bought=False,
                        service=params.get("service"), carrier=params.get("carrier"))
    rate(call, shipment)
    return shipment


def address_parts(call, params):
    missing = [name for name in ("to_address", "from_address")
               if params.get(name) in (None, "", {})]
    if missing:
        raise errors.required(*missing)
    sender = addresses.resolve(call, params["from_address"], "from_address")
    recipient = addresses.resolve(call, params["to_address"], "to_address")
    parts = {"from_address": sender, "to_address": recipient,
             "return_address": sender, "buyer_address": recipient}
    for name in ("return_address", "buyer_address"):
        if params.get(name):
            parts[name] = addresses.resolve(call, params[name], name)
    return parts


def rate(call, shipment):
    """Fresh rates, with fresh ids, in place of what there was."""
    accounts = account_triples(call.space,
                               call.space.recall(shipment["id"], "accounts"))
    found, shipment["messages"] = carriers.quotes(
        shipment["from_address"], shipment["to_address"], shipment["parcel"],
        shipment["customs_info"], accounts, call.now)
    rates = []
    for quote in found:
        one = objects.rate(call.ids, call.mode, call.now, quote, shipment["id"])
        rates.append(call.space.put(one, call.now, listed=False))
    shipment["rates"] = rates
    shipment["usps_zone"] = carriers.zone(shipment["from_address"],
                                          shipment["to_address"])
    return rates


def buy(call, shipment, chosen, insurance=None):
    """Spend the money: label, tracking code, tracker, fees."""
    if shipment["postage_label"] is not None:
        raise unprocessable("SHIPMENT.POSTAGE.EXISTS",
                            "Postage already exists for this shipment.")
    insured = None if insurance in (None, "", 0) else objects.money(insurance,
                                                                    "insurance")
    options = shipment["options"]
    shipment["selected_rate"] = chosen
    shipment["tracking_code"] = carriers.tracking_code(
        call.store.random, chosen["carrier"], chosen["service"])
    kind = str(options.get("label_format", "PNG")).upper()
    label = objects.postage_label(call.ids, call.now, kind)
    size = options.get("label_inline_bytes")
    if size:
        label["label_file"] = label_png(
            int(objects.number(size, "label_inline_bytes", LABEL_LARGEST)))
    shipment["postage_label"] = label
    shipment["fees"] = [
        objects.fee("LabelFee", "0.01"),
        objects.fee("PostageFee", chosen["rate"],
                    chosen["billing_type"] == "easypost")]
    if insured:
        insure(shipment, insured)
    shipment["updated_at"] = stamp(call.now)
    tracker = tracking.for_label(call, shipment, chosen["service"],
                                 chosen["delivery_days"])
    shipment["tracker"] = objects.embedded_tracker(tracker)
    call.space.remember(shipment["id"], bought=True, tracker=tracker["id"])
    return shipment


def insure(shipment, amount):
    shipment["insurance"] = amount
    fee = max(Decimal("0.50"), Decimal(amount) * Decimal("0.005"))
    shipment["fees"] = shipment["fees"] + [objects.fee("InsuranceFee", fee)]


def label_png(size):
    """Base64 of a real PNG of about so many bytes: grey noise, stored uncompressed."""
    width = 800
    height = max(1, size // (width + 1))
    noise = Random(size)
    rows = b"".join(b"\0" + noise.randbytes(width) for _ in range(height))

    def chunk(kind, data):
        body = kind + data
        return struct.pack(">I", len(data)) + body + struct.pack(">I", zlib.crc32(body))

    head = struct.pack(">IIBBBBB", width, height, 8, 0, 0, 0, 0)
    png = b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", head) \
        + chunk(b"IDAT", zlib.compress(rows, 0)) + chunk(b"IEND", b"")
    return base64.b64encode(png).decode()


def rate_for(shipment, service, carrier=None):
    for one in shipment["rates"]:
        if one["service"] == service and (not carrier or one["carrier"] == carrier):
            return one
    raise unprocessable("SHIPMENT.POSTAGE.FAILURE",
                        f"Unable to buy: no rate for the service {service}.")


@route("POST", "/v2/shipments")
def create_shipment(call):
    params = call.wrapped("shipment")
    shipment = make(call, params)
    if params.get("service"):
        if not params.get("carrier_accounts"):
            raise errors.required("carrier_accounts")
        chosen = rate_for(shipment, params["service"], params.get("carrier"))
        buy(call, shipment, chosen, params.get("insurance"))
    return created("shipments", shipment)


@route("GET", "/v2/shipments", is_list=True)
def list_shipments(call):
    purchased = call.param("purchased")
    keep = None
    if purchased in ("true", "True", "1", ""):
        keep = bought
    found, more = call.space.page("shp", call, keep)
    return 200, {"shipments": found, "has_more": more}


def bought(shipment):
    return shipment["postage_label"] is not None


@route("GET", "/v2/shipments/*")
def get_shipment(call):
    return 200, call.space.get(call.args[0], "shp")


@route("POST", "/v2/shipments/*/buy")
def buy_shipment(call):
    shipment = call.space.get(call.args[0], "shp")
    wanted = call.body.get("rate")
    if isinstance(wanted, dict):
        wanted = wanted.get("id")
    if not wanted:
        raise errors.required("rate")
    if call.body.get("end_shipper_id"):
        call.space.get(call.body["end_shipper_id"], "es")
    if bought(shipment):
        raise unprocessable("SHIPMENT.POSTAGE.EXISTS",
                            "Postage already exists for this shipment.")
    chosen = call.space.get(wanted, "rate")
    if chosen not in shipment["rates"]:
        raise unprocessable("SHIPMENT.POSTAGE.FAILURE",
                            "The rate does not belong to this shipment.")
    return 200, buy(call, shipment, chosen, call.body.get("insurance"))


@route("POST", "/v2/shipments/*/rerate")
def rerate_shipment(call):
    shipment = call.space.get(call.args[0], "shp")
    if bought(shipment):
        raise unprocessable("SHIPMENT.POSTAGE.EXISTS",
                            "Postage already exists for this shipment.")
    shipment["updated_at"] = stamp(call.now)
    return 200, {"rates": rate(call, shipment)}


def must_be_bought(shipment):
    if not bought(shipment):
        raise unprocessable("SHIPMENT.INVALID_PARAMS",
                            "No postage has been bought for this shipment.")


def submit_refund(call, shipment):
    """The Refund of a label that may be given back; its answer comes in two weeks."""
    must_be_bought(shipment)
    if shipment["refund_status"] is not None:
        raise unprocessable("SHIPMENT.REFUND.UNAVAILABLE",
                            "A refund has already been requested.")
    if shipment["status"] in REFUSED_FOR_REFUND:
        raise unprocessable("SHIPMENT.REFUND.UNAVAILABLE",
                            "The label has been used and cannot be refunded.")
    shipment["refund_status"] = "submitted"
    shipment["updated_at"] = stamp(call.now)
    tracking.cancel_life(call.space, call.space.recall(shipment["id"], "tracker"))
    refund = objects.refund(call.ids, call.now, shipment["tracking_code"],
                            shipment["selected_rate"]["carrier"], shipment["id"])
    call.space.put(refund, call.now)
    call.store.schedule(call.now + REFUND_DAYS * 86400, "refund", call.space,
                        refund["id"])
    return refund


def settle_refund(app, space, refund, when):
    if refund["status"] != "submitted":
        return
    shipment = space.objects[refund["shipment_id"]]
    refund["status"] = shipment["refund_status"] = "refunded"
    refund["updated_at"] = shipment["updated_at"] = stamp(when)
    shipment["fees"] = [{**fee, "refunded": True} for fee in shipment["fees"]]
    app.webhooks.emit(space, "refund.successful", refund, {"status": "submitted"}, when)


ACTIONS["refund"] = lambda app, space, refund, _ticket, when: \
    settle_refund(app, space, refund, when)


def bill(app, space, key, amount, when):
    """The carrier bills a label once more, or changes what it billed then."""
    found = space.objects[key]
    if found["object"] == "Shipment":
        must_be_bought(found)
        invoice, name = objects.shipment_invoice(
            app.store.ids, space.mode, when, found), "created"
    else:
        invoice, name = found, "updated"
    before = invoice["adjustment_amount"]
    total = Decimal(invoice["initially_paid_amount"]) + amount
    invoice.update(adjustment_amount=f"{amount:.5f}", invoice_amount=f"{amount:.5f}",
                   total_cost=f"{total:.5f}")
    space.put(invoice, when)
    app.webhooks.emit(space, "shipment.invoice." + name, invoice,
                      {"adjustment_amount": before} if name == "updated" else {}, when)
    return invoice


@route("POST", "/v2/shipments/*/refund")
def refund_shipment(call):
    shipment = call.space.get(call.args[0], "shp")
    submit_refund(call, shipment)
    return 200, shipment


@route("POST", "/v2/shipments/*/insure")
def insure_shipment(call):
    shipment = call.space.get(call.args[0], "shp")
    if call.body.get("amount") in (None, ""):
        raise errors.required("amount")
    must_be_bought(shipment)
    insure(shipment, objects.money(call.body["amount"]))
    shipment["updated_at"] = stamp(call.now)
    return 200, shipment


@route("GET", "/v2/shipments/*/label")
def convert_label(call):
    shipment = call.space.get(call.args[0], "shp")
    kind = (call.param("file_format") or "").upper()
    if kind not in LABEL_FORMATS:
        raise errors.required("file_format") if not kind else \
            errors.invalid("file_format", "must be PNG, PDF, ZPL or EPL2")
    must_be_bought(shipment)
    label = dict(shipment["postage_label"])
    if kind == "PNG":
        inline = call.param("inline") or str(LABEL_BYTES)
        label["label_file"] = label_png(
            int(objects.number(inline, "inline", LABEL_LARGEST)))
    else:
        label[f"label_{kind.lower()}_url"] = objects.file_url(
            call.ids, "postage_label", call.now, kind.lower())
    label["updated_at"] = stamp(call.now)
    shipment["postage_label"] = label
    return 200, shipment


@route("POST", "/v2/shipments/*/forms")
def add_form(call):
    shipment = call.space.get(call.args[0], "shp")
    params = call.wrapped("form")
    if not params.get("type"):
        raise errors.required("type")
    must_be_bought(shipment)
    form = objects.form(call.ids, call.mode, call.now, params["type"])
    shipment["forms"] = shipment["forms"] + [form]
    shipment["updated_at"] = stamp(call.now)
    return 201, shipment


# -- rates on their own --------------------------------------------------------


@route("GET", "/v2/rates/*")
def get_rate(call):
    return 200, call.space.get(call.args[0], "rate")


PLAIN_ADDRESS = ("name", "company", "street1", "street2", "city", "state", "zip",
                 "country", "phone", "email")


@route("POST", "/beta/rates")
def stateless_rates(call):
    """Rates without a shipment: nothing here has an id or is kept."""
    params = call.wrapped("shipment")
    missing = [name for name in ("to_address", "from_address", "parcel")
               if not isinstance(params.get(name), dict) or not params[name]]
    if missing:
        raise errors.required(*missing)
    sides = {name: objects.address(call.ids, call.mode, call.now, params[name])
             for name in ("from_address", "to_address")}
    parcel = objects.parcel(call.ids, call.mode, call.now, params["parcel"], "parcel.")
    found, messages = carriers.quotes(
        sides["from_address"], sides["to_address"], parcel, params.get("customs_info"),
        account_triples(call.space, params.get("carrier_accounts")), call.now)
    shown = {name: {"object": "Address", **{key: params[name][key]
                                            for key in PLAIN_ADDRESS
                                            if key in params[name]}}
             for name in sides}
    return 200, {
        **shown,
        "rates": [{"object": "Rate", **objects.bare_rate(call.mode, quote)}
                  for quote in found],
        "options": {**options_of(params), **objects.OPTIONS_ALWAYS},
        "parcel": {"object": "Parcel", **{name: parcel[name] for name in
                                          ("length", "width", "height", "weight")}},
        "messages": messages}


# -- smartrate -----------------------------------------------------------------


PERCENTILES = (50, 75, 85, 90, 95, 97, 99)


def transit_days(days):
    days = days or 4
    growth = (0, 0, 1, 1, 2, 3, 4)
    return {f"percentile_{percent}": days + more
            for percent, more in zip(PERCENTILES, growth)}


def numeric(one):
    """A rate as the side service shows it: sorted keys, money as JSON numbers."""
    plain = {key: float(value) if key in ("rate", "list_rate", "retail_rate") else value
             for key, value in one.items() if key != "billing_type"}
    return plain


@route("GET", "/v2/shipments/*/smartrate")
def smartrate(call):
    shipment = call.space.get(call.args[0], "shp")
    result = []
    for one in shipment["rates"]:
        plain = {**numeric(one), "time_in_transit": transit_days(one["delivery_days"])}
        result.append(dict(sorted(plain.items())))
    return 200, {"result": result}


def day_of(call, name):
    text = call.param(name)
    if not text:
        raise errors.required(name)
    return datetime.utcfromtimestamp(parse_time(text, name)).date()


@route("GET", "/v2/shipments/*/smartrate/delivery_date")
def estimated_delivery_date(call):
    shipment = call.space.get(call.args[0], "shp")
    start = day_of(call, "planned_ship_date")
    return 200, {"rates": [
        {"easypost_time_in_transit_data": by_data(start, one["delivery_days"]),
         "rate": dict(sorted(numeric(one).items()))} for one in shipment["rates"]]}


@route("GET", "/v2/shipments/*/smartrate/precision_shipping")
def recommended_ship_date(call):
    shipment = call.space.get(call.args[0], "shp")
    end = day_of(call, "desired_delivery_date")
    return 200, {"rates": [
        {"easypost_time_in_transit_data": {
            **on_data(end, one["delivery_days"])},
         "rate": dict(sorted(numeric(one).items()))} for one in shipment["rates"]]}


def by_data(start, days):
    days = days or 4
    return {"days_in_transit": transit_days(days),
            "easypost_estimated_delivery_date": str(start + timedelta(days=days)),
            "planned_ship_date": str(start)}


def on_data(end, days):
    days = days or 4
    return {"days_in_transit": transit_days(days), "delivery_date_confidence": 0.72,
            "desired_delivery_date": str(end), "estimated_transit_days": days,
            "ship_on_date": str(end - timedelta(days=days))}


def standalone(call, date_name, data_of):
    missing = [name for name in ("from_zip", "to_zip", date_name)
               if not call.body.get(name)]
    if missing:
        raise errors.required(*missing)
    wanted = call.body.get("carriers") or ["USPS"]
    if not isinstance(wanted, list) or not all(isinstance(one, str) for one in wanted):
        raise errors.invalid("carriers", "must be an array of strings")
    day = datetime.utcfromtimestamp(parse_time(call.body[date_name], date_name)).date()
    results = []
    for service in carriers.DOMESTIC:
        if service.carrier in wanted:
            data = data_of(day, service.days[3])
            data.pop(date_name)
            results.append({"carrier": service.carrier,
                            "easypost_time_in_transit_data": data,
                            "service": service.name.lower()})
    known = {service.carrier for service in carriers.DOMESTIC}
    shape = {"carriers_without_tint_estimates":
             [name for name in wanted if name not in known] or None,
             "from_zip": call.body["from_zip"], date_name: call.body[date_name],
             "results": results,
             "saturday_delivery": call.body.get("saturday_delivery"),
             "to_zip": call.body["to_zip"]}
    return 200, dict(sorted(shape.items()))


@route("POST", "/v2/smartrate/deliver_by")
def deliver_by(call):
    return standalone(call, "planned_ship_date", by_data)


@route("POST", "/v2/smartrate/deliver_on")
def deliver_on(call):
    return standalone(call, "desired_delivery_date", on_data)
