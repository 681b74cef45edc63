"""Made answers of the gateway for the page, the same for the same arguments.

They have the shape of web/openapi.yaml; what is in them is for looking at: long
names, two currencies, figures that are not known, nothing at all.
"""

import datetime
import random
import uuid

CARRIERS = (("USPS", "GroundAdvantage", 7.6, 3), ("UPS", "Ground", 11.2, 3),
            ("FedEx", "FEDEX_GROUND", 12.4, 2), ("DHLExpress", "ExpressWorldwide", 41.7, 4),
            ("CanadaPost", "ExpeditedParcel", 14.9, 5))
PLACES = (("San Francisco", "CA", "US"), ("Portland", "OR", "US"),
          ("Redondo Beach", "CA", "US"), ("New York", "NY", "US"),
          ("Montréal", "QC", "CA"), ("Austin", "TX", "US"), ("Berlin", None, "DE"))
NAMES = ("Ada Lovelace", "Charles Babbage", "Grace Hopper", "Konrad Zuse",
         "Katherine Johnson", "Edsger Dijkstra")
LONG = "Donaudampfschifffahrtsgesellschaftskapitaenswitwenundwaisenkasse"
STATUSES = ("delivered", "in_transit", "in_transit", "out_for_delivery",
            "pre_transit", "delivered", "failure", "return_to_sender", "unknown")
MESSAGES = {"delivered": "Delivered, front door", "in_transit": "Arrived at facility",
            "out_for_delivery": "Out for delivery", "pre_transit": "Label created",
            "failure": "Address not found", "return_to_sender": "Returned to sender",
            "unknown": None, "error": "Carrier's error"}
OBJECTS = ("shipment", "tracker", "address", "refund", "event")


def stamp(moment):
    return moment.strftime("%Y-%m-%dT%H:%M:%S.") + f"{moment.microsecond // 1000:03d}Z"


def ago(**time):
    return stamp(now() - datetime.timedelta(**time))


def now():
    return datetime.datetime.now(datetime.timezone.utc).replace(tzinfo=None)


def _costs(entries):
    return [{"currency": currency, "total_cost": f"{total:.2f}",
             "avg_cost": f"{total / sample:.4f}" if sample else None,
             "cost_sample": sample} for currency, total, sample in entries]


def _money(amount, currencies):
    """An amount, and in a second currency a third of it."""
    return [(currency, amount / (1, 3, 7)[number]) for number, currency
            in enumerate(currencies)]


def _trends(days, today, chance, currencies, volume):
    trends = []
    for number in range(days):
        date = today - datetime.timedelta(days=days - 1 - number)
        weekend = date.weekday() >= 5
        count = int(volume * (0.35 if weekend else 1) * chance.uniform(0.75, 1.25)
                    * (0.6 + 0.4 * number / days))
        if number == days - 1:
            count //= 2
        gone = min(1.0, max(0.0, (days - 1 - number - 1) / 4))
        failed = chance.choice((0, 0, 0, 1, 1, 2)) if count > 4 else 0
        delivered = min(int(count * gone), count - failed)
        trends.append({"date": date.isoformat(), "count": count,
                       "delivered": delivered, "failed": failed,
                       "costs": [{"currency": currency, "total_cost": f"{amount:.2f}"}
                                 for currency, amount in
                                 _money(count * chance.uniform(8.5, 10.5), currencies)]
                       if count else []})
    return trends


def _carrier(name, share, price, days, currencies, chance, sample):
    count = max(1, int(sample * share))
    delivered = int(count * 0.8)
    return {"carrier": name, "total_shipments": count, "delivered_count": delivered,
            "failed_count": int(count * 0.012),
            "on_time_rate": round(chance.uniform(82, 99), 2) if delivered else None,
            "on_time_sample": int(delivered * 0.95),
            "success_rate": 98.7 if delivered else None,
            "avg_delivery_days": days + 0.214 if delivered else None,
            "delivery_days_p50": days if delivered else None,
            "delivery_days_p90": days + chance.choice((1, 2, 3)) if delivered else None,
            "delivery_days_sample": delivered,
            "costs": _costs([(currency, amount, count) for currency, amount
                             in _money(count * price, currencies)])}


def dashboard(days=30, mode="production", currencies=("USD",), volume=44,
              is_long=False):
    """An answer of /db/analytics/dashboard with figures."""
    chance = random.Random(days)
    today = now().date()
    trends = _trends(days, today, chance, currencies, volume)
    total = sum(one["count"] for one in trends)
    delivered = sum(one["delivered"] for one in trends)
    failed = sum(one["failed"] for one in trends)
    costs = [(currency, sum(float(cost["total_cost"]) for one in trends
                            for cost in one["costs"] if cost["currency"] == currency),
              int(total * 0.97)) for currency in currencies]
    carriers = [_carrier(LONG if is_long and name == "USPS" else name, share, price,
                         slow, currencies, chance, total)
                for (name, _, price, slow), share
                in zip(CARRIERS, (0.55, 0.25, 0.14, 0.05, 0.006))]
    routes = []
    for number in range(10):
        start, end = PLACES[number % 3], PLACES[(number + 1 + number // 3) % 7]
        count = 130 - 11 * number
        routes.append({"from_city": LONG if is_long and not number else start[0],
                       "from_state": start[1],
                       "from_country": start[2], "to_city": end[0],
                       "to_state": end[1], "to_country": end[2],
                       "shipment_count": count, "avg_delivery_days": 2.4 + number / 3,
                       "costs": _costs([(currency, amount, count) for currency, amount
                                        in _money(count * 9.0, currencies)])})
    return {"mode": mode, "days": days, "date_from": trends[0]["date"],
            "date_to": trends[-1]["date"], "as_of": stamp(now()),
            "summary": {
                "total_shipments": total, "purchased_count": int(total * 0.97),
                "delivered_count": delivered,
                "in_transit_count": (total - delivered - failed) * 4 // 5,
                "failed_count": failed, "cancelled_count": (total - delivered - failed) // 5,
                "on_time_rate": 93.21, "on_time_sample": int(delivered * 0.95),
                "success_rate": round(100 * delivered / max(1, delivered + failed), 2),
                "success_sample": delivered + failed, "avg_delivery_days": 3.214,
                "delivery_days_p50": 3, "delivery_days_p90": 5,
                "delivery_days_sample": delivered, "costs": _costs(costs),
                "previous": {
                    "total_shipments": int(total * 0.91),
                    "delivered_count": int(delivered * 0.9), "failed_count": failed + 3,
                    "on_time_rate": 91.8, "on_time_sample": int(delivered * 0.9),
                    "avg_delivery_days": 3.4,
                    "costs": _costs([(currency, amount * 0.93, sample)
                                     for currency, amount, sample in costs])}},
            "carrier_performance": carriers, "shipment_trends": trends,
            "top_routes": routes,
            "attention": {"late_count": 7, "failed_count": failed}}


def nothing(days=30, mode="production"):
    """The same where nothing has been recorded."""
    full = dashboard(days, mode, volume=0)
    none = {"total_shipments": 0, "delivered_count": 0, "failed_count": 0,
            "on_time_rate": None, "on_time_sample": 0, "avg_delivery_days": None,
            "costs": []}
    full.update(as_of=None, carrier_performance=[], top_routes=[],
                attention={"late_count": 0, "failed_count": 0})
    full["summary"] = {
        **none, "purchased_count": 0, "in_transit_count": 0, "cancelled_count": 0,
        "success_rate": None, "success_sample": 0, "delivery_days_p50": None,
        "delivery_days_p90": None, "delivery_days_sample": 0, "previous": none}
    full["shipment_trends"] = [{**one, "count": 0, "delivered": 0, "failed": 0,
                                "costs": []} for one in full["shipment_trends"]]
    return full


def unknown(days=30, mode="production"):
    """Shipments of which as good as nothing is known."""
    full = dashboard(days, mode)
    summary = full["summary"]
    for figures in (summary, summary["previous"], *full["carrier_performance"],
                    *full["top_routes"]):
        for name in figures:
            if name.startswith(("on_time_rate", "success_rate", "avg_", "delivery_days_p")):
                figures[name] = None
        figures["costs"] = []
    full["attention"] = {"late_count": None, "failed_count": None}
    return full


def _address(chance, is_long=False):
    city, state, country = chance.choice(PLACES)
    return {"id": str(uuid.UUID(int=chance.getrandbits(128), version=4)),
            "easypost_id": None, "name": LONG if is_long else chance.choice(NAMES),
            "company": None, "street1": "417 Montgomery St", "street2": None,
            "city": LONG if is_long else city, "state": state, "zip": "94104",
            "country": country, "phone": None, "email": None, "is_residential": None}


def shipment(number, mode="production", currency="USD", is_long=False, status=None):
    """The shipment with this number, 0 the newest."""
    chance = random.Random(f"{mode} {number}")
    carrier, service, price, days = CARRIERS[chance.choice((0, 0, 0, 1, 1, 2, 3, 4))]
    status = status or STATUSES[chance.randrange(len(STATUSES))]
    made = (now() - datetime.timedelta(minutes=1 + 47 * number)).replace(
        microsecond=0, second=number % 60)
    promised = made + datetime.timedelta(days=days)
    code = f"94346001093551{chance.randrange(10 ** 8):08d}"
    return {
        "id": str(uuid.UUID(int=random.Random(code).getrandbits(128), version=4)),
        "easypost_id": f"shp_{chance.getrandbits(128):032x}",
        "tracking_code": code, "status": status, "mode": mode,
        "reference": LONG * 2 if is_long else f"order-{10470 - number}",
        "carrier": LONG if is_long else carrier, "service": service,
        "base_cost": f"{price:.2f}", "total_cost": f"{price + 0.05:.2f}",
        "adjustment": None, "adjustment_count": 0,
        "currency": currency, "delivery_days": days, "delivery_date": None,
        "est_delivery_date": stamp(promised), "purchased_at": stamp(made),
        "delivered_at": stamp(made + datetime.timedelta(minutes=30))
        if status == "delivered" else None,
        "signed_by": None, "weight": 65.9, "insurance": None,
        "promised_at": stamp(promised), "is_return": False, "order_id": None,
        "selected_rate_id": "rate_1", "tracker_id": None, "batch_id": None,
        "batch_status": None, "refund_status": None,
        "label_url": "https://easypost-files.s3.us-west-2.amazonaws.com/label.png",
        "extra_metadata": None, "created_at": stamp(made), "updated_at": stamp(made),
        "from_address": _address(chance), "to_address": _address(chance, is_long),
        "parcel": None}


def detail(one):
    """The same with what belongs to it."""
    made = datetime.datetime.strptime(one["created_at"], "%Y-%m-%dT%H:%M:%S.%fZ")
    steps = ("pre_transit", "in_transit", "in_transit", one["status"])
    return {**one, "from_address_id": None, "to_address_id": None,
            "return_address_id": None, "buyer_address_id": None, "parcel_id": None,
            "customs_info_id": None, "return_address": None, "buyer_address": None,
            "customs_info": {
                "contents_type": "merchandise", "contents_explanation": None,
                "eel_pfc": "NOEEI 30.37(a)", "customs_items": [
                    {"description": "Sweet shirts", "quantity": 2, "value": "23.50",
                     "currency": "USD"}]},
            "rates": [{"id": f"rate_{number}", "carrier": carrier, "service": service,
                       "rate": f"{price:.2f}", "currency": one["currency"],
                       "delivery_days": days or None}
                      for number, (carrier, service, price, days)
                      in enumerate(CARRIERS, 1)],
            "events": [{"datetime": stamp(made + datetime.timedelta(minutes=7 * number)),
                        "status": status, "message": MESSAGES.get(status),
                        "tracking_location": {"city": "Oakland", "state": "CA",
                                              "country": "US", "zip": "94621"}}
                       for number, status in enumerate(steps)]}


def event(number, of, message=None):
    """An event of a shipment, 0 the newest."""
    when = stamp((now() - datetime.timedelta(minutes=3 + 11 * number)).replace(
        microsecond=0, second=number % 60))
    return {"id": str(uuid.UUID(int=random.Random(f"event {number}").getrandbits(128),
                                version=4)),
            "shipment_id": of["id"], "tracking_code": of["tracking_code"],
            "carrier": of["carrier"], "mode": of["mode"], "status": of["status"],
            "status_detail": None, "message": message or MESSAGES.get(of["status"]),
            "description": None, "carrier_status": None, "source": of["carrier"],
            "tracking_location": {"city": "Oakland", "state": "CA", "country": "US"},
            "event_datetime": when, "created_at": when}


def page(name, rows, limit=50, next_=None, total=None):
    total = len(rows) if total is None else total
    return {name: rows[:limit], "pagination": {
        "total": total, "limit": limit, "offset": 0,
        "has_more": next_ is not None, "next": next_}}


def health(**spool):
    return {"version": "0.1.0", "uptime_s": 86400, "recording": True,
            "spool": {"depth": 0, "bad": 0, **spool},
            "background": {
                "figures": {"unmerged": 0, "drift": 0, "compared_at": stamp(
                    now() - datetime.timedelta(minutes=12))},
                "events": {"last_at": stamp(now() - datetime.timedelta(minutes=3)),
                           "failed": 0},
                "jobs": {"queued": 0, "failed": 0}},
            "database": {"status": "ok", "latency_ms": 0.412,
                         "server_version": "15.18", "schema_version": 12,
                         "is_in_recovery": False,
                         "connections": {"needed": 52, "max_connections": 100}},
            "pools": {}, "pool": {"pool_size": 20, "checked_out": 3, "overflow": 0,
                                  "available": 17}, "status": "ok"}


def completeness(mode="production", days=30):
    rows = []
    for back in range(1, days + 1):
        day = now().date() - datetime.timedelta(days=back)
        for number, name in enumerate(OBJECTS):
            chance = random.Random(f"{day} {name}")
            count = chance.randrange(300, 420)
            whole = not (back == 4 and name == "tracker")
            rows.append({
                "id": str(uuid.UUID(int=chance.getrandbits(128), version=4)),
                "day": day.isoformat(), "object": name, "mode": mode,
                "easypost_count": count, "database_count": count if whole else count - 3,
                "missing": 0 if whole else 3, "missing_ids": [], "repaired": number,
                "changed": 0, "is_complete": whole, "error": None,
                "started_at": f"{day}T03:20:11.204Z", "checked_at": f"{day}T03:21:40.981Z",
                "begins_at": f"{day}T00:00:00Z"})
    return page("days", rows, 150)
