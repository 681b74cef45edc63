"""Orders, pickups, and rule-based buying."""

from datetime import datetime, timedelta
from decimal import Decimal

import addresses
import errors
import objects
import shipments
from errors import required, unprocessable
from reply import created
from server import route
from store import parse_time, stamp


# -- orders --------------------------------------------------------------------


def sum_rates(call, order):
    """One rate per carrier and service that all shipments of the order offer."""
    order["rates"] = []
    lines = order["shipments"]
    for first in lines[0]["rates"]:
        same = [one for line in lines for one in line["rates"]
                if (one["carrier"], one["service"])
                == (first["carrier"], first["service"])]
        if len(same) != len(lines):
            continue
        total = dict(first, id=call.ids.new("rate"), created_at=None, updated_at=None)
        for name in ("rate", "list_rate", "retail_rate"):
            total[name] = str(sum(Decimal(one[name]) for one in same))
        order["rates"].append(total)
    order["messages"] = [message for line in lines for message in line["messages"]]


@route("POST", "/v2/orders")
def create_order(call):
    params = call.wrapped("order")
    wanted = params.get("shipments")
    if not isinstance(wanted, list) or not wanted:
        raise required("shipments")
    parts = shipments.address_parts(call, params)
    parts["customs_info"] = addresses.resolve_customs_info(call,
                                                           params.get("customs_info"))
    order = objects.order(call.ids, call.mode, call.now, params, parts)
    for one in wanted:
        if not isinstance(one, dict):
            raise errors.invalid("shipments", "must be objects")
        line = shipments.make(call, {**one, "carrier_accounts":
                                     params.get("carrier_accounts")}, None, parts)
        line["order_id"] = order["id"]
        order["shipments"].append(line)
    sum_rates(call, order)
    call.space.put(order, call.now)
    if params.get("service"):
        buy_all(call, order, params.get("carrier"), params["service"])
    return created("orders", order)


def buy_all(call, order, carrier, service):
    chosen = [shipments.rate_for(line, service, carrier) for line in order["shipments"]]
    for line, rate in zip(order["shipments"], chosen):
        shipments.buy(call, line, rate)
    order["updated_at"] = stamp(call.now)


@route("GET", "/v2/orders/*")
def get_order(call):
    return 200, call.space.get(call.args[0], "order")


@route("GET", "/v2/orders/*/rates")
def rates_of_order(call):
    order = call.space.get(call.args[0], "order")
    if not any(shipments.bought(line) for line in order["shipments"]):
        for line in order["shipments"]:
            shipments.rate(call, line)
        sum_rates(call, order)
    return 200, order


@route("POST", "/v2/orders/*/buy")
def buy_order(call):
    order = call.space.get(call.args[0], "order")
    missing = [name for name in ("carrier", "service") if not call.body.get(name)]
    if missing:
        raise required(*missing)
    if any(shipments.bought(line) for line in order["shipments"]):
        raise unprocessable("ORDER.POSTAGE.EXISTS",
                            "Postage already exists for this order.")
    buy_all(call, order, call.body["carrier"], call.body["service"])
    return 200, order


# -- pickups -------------------------------------------------------------------


PICKUP_RATES = {"USPS": (("USPS", "NextDay", "0.00"),),
                "UPS": (("UPS", "Same-day Pickup", "9.50"),
                        ("UPS", "Future-day Pickup", "5.75")),
                "FedEx": (("FedEx", "Pickup", "4.00"),),
                "DHLExpress": (("DHLExpress", "Pickup", "0.00"),)}


@route("POST", "/v2/pickups")
def create_pickup(call):
    params = call.wrapped("pickup")
    missing = [name for name in ("address", "min_datetime", "max_datetime")
               if not params.get(name)]
    if missing:
        raise required(*missing)
    lines = lines_of_pickup(call, params)
    for line in lines:
        shipments.must_be_bought(line)
    parts = {"address": addresses.resolve(call, params["address"], "address"),
             "min": parse_time(params["min_datetime"], "min_datetime"),
             "max": parse_time(params["max_datetime"], "max_datetime"),
             "rates": PICKUP_RATES.get(lines[0]["selected_rate"]["carrier"], ())}
    if parts["max"] < parts["min"]:
        raise errors.invalid("max_datetime", "must be after min_datetime")
    pickup = objects.pickup(call.ids, call.mode, call.now, params, parts)
    return 200, call.space.put(pickup, call.now)


def lines_of_pickup(call, params):
    for name, prefix in (("shipment", "shp"), ("batch", "batch")):
        value = params.get(name)
        if not value:
            continue
        obj = call.space.get(value.get("id") if isinstance(value, dict) else value,
                             prefix)
        if name == "shipment":
            return [obj]
        if obj["shipments"]:
            return [call.space.objects[line["id"]] for line in obj["shipments"]]
    raise required("shipment")


@route("GET", "/v2/pickups", is_list=True)
def list_pickups(call):
    found, more = call.space.page("pickup", call)
    return 200, {"pickups": found, "has_more": more}


@route("GET", "/v2/pickups/*")
def get_pickup(call):
    return 200, call.space.get(call.args[0], "pickup")


@route("POST", "/v2/pickups/*/buy")
def buy_pickup(call):
    pickup = call.space.get(call.args[0], "pickup")
    missing = [name for name in ("carrier", "service") if not call.body.get(name)]
    if missing:
        raise required(*missing)
    if pickup["status"] != "unknown":
        raise unprocessable("PICKUP.BUY.FAILURE", "The pickup cannot be scheduled.")
    if not any(one["carrier"] == call.body["carrier"]
               and one["service"] == call.body["service"]
               for one in pickup["pickup_rates"]):
        raise unprocessable("PICKUP.BUY.FAILURE", "There is no such pickup rate.")
    pickup["status"] = "scheduled"
    pickup["confirmation"] = f"WTC{call.store.random.randrange(10 ** 7, 10 ** 8)}"
    pickup["updated_at"] = stamp(call.now)
    return 200, pickup


@route("POST", "/v2/pickups/*/cancel")
def cancel_pickup(call):
    pickup = call.space.get(call.args[0], "pickup")
    if pickup["status"] != "scheduled":
        raise unprocessable("PICKUP.CANCEL.FAILURE", "The pickup is not scheduled.")
    pickup["status"] = "canceled"
    pickup["updated_at"] = stamp(call.now)
    return 200, pickup


# -- luma: the account's rule chooses the rate ---------------------------------


RULE = "Buy the cheapest rate that satisfies all of the following:\nRule 0\n        " \
       "- Any carrier\n"


def luma_info(call, shipment, planned):
    ranked = sorted(shipment["rates"], key=lambda one: Decimal(one["rate"]))
    day = planned or stamp(call.now)[:10]
    results = []
    for one in ranked:
        days = one["delivery_days"] or 5
        results.append({
            "carrier": one["carrier"], "meets_ruleset_requirements": True,
            "predicted_deliver_by_date": add_days(day, days),
            "predicted_deliver_days": days, "rate_id": one["id"],
            "rate_usd": one["rate"], "service": one["service"]})
    return {"ai_results": results, "matching_rule_idx": 0, "ruleset_description": RULE}


def add_days(day, days):
    return str((datetime.fromisoformat(day) + timedelta(days=days)).date())


LUMA_ORDER = (
    "id", "object", "mode", "reference", "to_address", "from_address", "return_address",
    "buyer_address", "parcel", "customs_info", "scan_form", "forms", "insurance", "rates",
    "selected_rate", "luma_info", "postage_label", "messages", "options", "is_return",
    "tracking_code", "usps_zone", "status", "tracker", "fees", "refund_status",
    "batch_id", "batch_status", "batch_message", "tax_identifiers", "created_at",
    "updated_at")


def buy_by_rule(call, shipment):
    if call.body.get("ruleset_name") is None and "shipment" not in call.body:
        raise required("ruleset_name")
    planned = call.body.get("planned_ship_date")
    if planned:
        parse_time(planned, "planned_ship_date")
    info = luma_info(call, shipment, planned)
    if not info["ai_results"]:
        raise unprocessable("SHIPMENT.POSTAGE.FAILURE", "Unable to buy: no rates.")
    key = info["ai_results"][0]["rate_id"]
    chosen = next(one for one in shipment["rates"] if one["id"] == key)
    shipments.buy(call, shipment, chosen, call.body.get("insurance"))
    extra = {"luma_info": info, "tax_identifiers": None}
    shown = {**extra, **shipment}
    return 200, {name: shown[name] for name in LUMA_ORDER}


@route("POST", "/v2/shipments/*/luma")
def luma_buy(call):
    return buy_by_rule(call, call.space.get(call.args[0], "shp"))


@route("POST", "/v2/shipments/luma")
def luma_one_call(call):
    params = call.wrapped("shipment")
    call.body.setdefault("ruleset_name", params.get("ruleset_name"))
    return buy_by_rule(call, shipments.make(call, params))


@route("POST", "/v2/luma/promise")
def luma_promise(call):
    params = call.wrapped("shipment")
    shipment = shipments.make(call, params)
    info = luma_info(call, shipment, params.get("planned_ship_date"))
    return 200, {"luma_info": info}
