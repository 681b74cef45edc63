"""What the seed's shipments are made of: places, carriers, prices, journeys.

The simulator's own names, price model and words, so that what is generated
looks like what is recorded.  Each function gives the rows of one table of
prepare.sql.
"""

import functools
import json
import pathlib
import sys

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent.parent / "sim"))
import carriers  # noqa: E402
import names  # noqa: E402
import objects  # noqa: E402
import places  # noqa: E402

# The rates of one document are a text for format(): shipment, creation, the
# promised days 1 to 5, then an id for each rate.
ARGUMENT_DAY = 2
ARGUMENT_RATE = 7
ZONES = range(1, 9)
# Ounces and inches.
PARCELS = tuple((round(3.5 + 4.5 * n + n * n / 3, 1),
                 6.0 + n // 2, 4.0 + n // 3, 2.0 + n // 4) for n in range(20))
SHOPS = (
    ("Juniper Goods", "Oakland", "CA", "94606"),
    ("Juniper Goods East", "Newark", "NJ", "07105"),
    ("Peak Outfitters", "Denver", "CO", "80216"),
    ("Tidewater Supply", "Richmond", "VA", "23224"),
    ("Lumen Studio", "Chicago", "IL", "60622"),
    ("Harbor Books", "Dallas", "TX", "75207"),
)
REGIONAL = (
    carriers.Service("DhlEcs", "DHLParcelExpedited", 640, 36, 17,
                     (2, 2, 3, 3, 3, 4, 4, 5), False),
    carriers.Service("DhlEcs", "DHLParcelGround", 560, 31, 14,
                     (3, 3, 4, 4, 4, 5, 5, 5), False),
    carriers.Service("OnTrac", "Ground", 705, 33, 15,
                     (1, 1, 1, 2, 3, 4, 4, 5), False),
    carriers.Service("OnTrac", "Sunrise", 1890, 95, 44, (1,) * 8, True),
)
# Of a hundred labels.
SHARES = {
    "GroundAdvantage": 28, "Priority": 17, "Express": 3,
    ("UPS", "Ground"): 17, "3DaySelect": 3, "2ndDayAir": 4, "NextDayAir": 1,
    "FEDEX_GROUND": 9, "FEDEX_EXPRESS_SAVER": 2, "FEDEX_2_DAY": 3,
    "STANDARD_OVERNIGHT": 1,
    "DHLParcelExpedited": 4, "DHLParcelGround": 3,
    ("OnTrac", "Ground"): 4, "Sunrise": 1,
}
# Of a thousand shipments; the rest arrives in time.
FATES = {"unbought": 20, "cancelled": 10, "failure": 13,
         "return_to_sender": 22, "late": 60}


def json_text(value):
    """As PostgreSQL writes a jsonb: short keys first."""
    def sort(one):
        if not isinstance(one, dict):
            return one
        return {key: sort(one[key])
                for key in sorted(one, key=lambda key: (len(key), key))}
    return json.dumps(sort(value), ensure_ascii=False)


def word_lists():
    return [("first", list(names.FIRST)), ("last", list(names.LAST)),
            ("street", list(names.STREETS)), ("company", list(names.COMPANIES))]


@functools.cache
def city_rows():
    """n, city, state, zip; then how scans there look."""
    cities = [(city, state, code) for city, state, code, often in names.CITIES
              for _ in range(often)]
    return [(n, *city, *scans(*city)) for n, city in enumerate(cities)]


def shop_rows():
    return [(n, name, city, state, code, *scans(city, state, code))
            for n, (name, city, state, code) in enumerate(SHOPS)]


def scans(city, state, code):
    """A place in tracking details: USPS leaves out the country."""
    place = {"object": "TrackingLocation", "city": city.upper(),
             "state": state, "zip": code}
    return json_text(place), json_text({**place, "country": "US"})


def address(state, code):
    return {"country": "US", "state": state, "zip": code}


@functools.cache
def route_rows():
    """shop, city; zone, and two sorting centres on the way."""
    rows = []
    for shop, (_, _, state, code) in enumerate(SHOPS):
        sender = address(state, code)
        for city, _, to_state, to_code, *_ in city_rows():
            recipient = address(to_state, to_code)
            near = sorted(places.HUBS, key=lambda hub: places.distance(
                hub[3:5], places.point(recipient)))
            first = min(places.HUBS, key=lambda hub: places.distance(
                hub[3:5], places.point(sender)))
            second = near[0] if near[0] != first else near[1]
            rows.append((shop, city, carriers.zone(sender, recipient),
                         *scans(*first[:3]), *scans(*second[:3])))
    return rows


def parcel_rows():
    return [(n, *parcel) for n, parcel in enumerate(PARCELS)]


@functools.cache
def quotes(zone, parcel):
    """Every service's price; the pair of places only gives the zone."""
    for shop, city, its_zone, *_ in route_rows():
        if its_zone == zone:
            sender = address(*SHOPS[shop][2:])
            recipient = address(*city_rows()[city][2:4])
            break
    else:
        raise ValueError(f"no route has zone {zone}")
    weight, length, width, height = parcel
    sizes = {"weight": weight, "length": length, "width": width,
             "height": height}
    return [carriers.price(service, sender, recipient, sizes,
                           f"ca_{hash_of(service.carrier)}",
                           "easypost" if service.carrier == "USPS"
                           else "carrier", 0)
            for service in carriers.DOMESTIC + REGIONAL]


def hash_of(carrier):
    return (carrier.encode().hex() * 32)[:32]


def rate_rows():
    """zone, parcel; the rates of all carriers, and of all but the regional."""
    rows = []
    for zone in ZONES:
        for n, parcel in enumerate(PARCELS):
            texts = [rate_text(place, quote) for place, quote
                     in enumerate(quotes(zone, parcel), start=1)]
            some = texts[:len(carriers.DOMESTIC)]
            rows.append((zone, n, *("[" + ", ".join(some_or_all) + "]"
                                    for some_or_all in (some, texts))))
    return rows


def rate_text(place, quote):
    day = f"%{ARGUMENT_DAY + quote.days}$s"
    return json_text({
        "id": f"rate_%{ARGUMENT_RATE + place}$s", "object": "Rate",
        "created_at": "%2$s", "updated_at": "%2$s",
        **objects.bare_rate("production", quote, "%1$s"),
        "delivery_date": day if quote.guaranteed else None})


def offer_rows():
    """zone, parcel, carrier, service; place among the rates, price, days."""
    return [(zone, n, quote.carrier, quote.service, place, quote.cents / 100,
             quote.days, quote.guaranteed)
            for zone in ZONES for n, parcel in enumerate(PARCELS)
            for place, quote in enumerate(quotes(zone, parcel), start=1)]


def label_rows():
    """n of a hundred; carrier, service, whether the carrier is regional."""
    rows = []
    for service in carriers.DOMESTIC + REGIONAL:
        share = SHARES.get(service.name) or SHARES[service[:2]]
        rows += [(service.carrier, service.name, service in REGIONAL)] * share
    return [(n, *row) for n, row in enumerate(rows)]


def fate_rows():
    """n of a thousand; outcome, whether it is late."""
    rows = []
    for fate, share in FATES.items():
        rows += [("delivered" if fate == "late" else fate,
                  fate == "late")] * share
    rows += [("delivered", False)] * (1000 - len(rows))
    return [(n, *row) for n, row in enumerate(rows)]


def step_rows():
    """carrier, outcome, hubs, nth; share of the way's time, where, status,
    detail, message, code, and the text of the detail for format(): time and
    place."""
    rows = []
    for carrier in sorted({row[1] for row in label_rows()}):
        for outcome in ("delivered", "failure", "return_to_sender",
                        "cancelled"):
            for hubs in range(3):
                rows += [(carrier, outcome, hubs, nth, *step, detail_text(
                    carrier, *step[2:])) for nth, step
                    in enumerate(journey(carrier, outcome, hubs), start=1)]
    return rows


def journey(carrier, outcome, hubs):
    say = carriers.WORDS.get(carrier, carriers.WORDS["*"])
    label = (0.002, "none", "pre_transit", "label_created", say[0], say[7])
    if outcome == "cancelled":
        return [label, (0.1, "from", "cancelled", "cancelled",
                        "Shipment cancelled", "CN")]
    moving = ("in_transit", "arrived_at_facility")
    van = (0.93, "to", "out_for_delivery", "out_for_delivery", say[5], "OD")
    last = {
        "delivered": (1.0, "to", "delivered", "arrived_at_destination",
                      say[6], "DL"),
        "failure": (1.0, "to", "failure", "address_correction",
                    "Undeliverable as addressed", "CA"),
        "return_to_sender": (1.0, "from", "return_to_sender", "return",
                             "Returned to the sender", "RS"),
    }[outcome]
    return [label, (0.08, "from", *moving, say[1], say[8]),
            *[(share, place, *moving, say[3], "AR") for share, place
              in ((0.4, "first"), (0.65, "second"))][:hubs],
            van, last]


def detail_text(carrier, status, detail, message, code):
    text = json_text({
        "object": "TrackingDetail", "source": carrier, "status": status,
        "message": message, "datetime": "%1$s", "description": "",
        "carrier_code": code, "status_detail": detail,
        "tracking_location": "%2$s"})
    return text.replace('"%2$s"', "%2$s")


TABLES = {
    "word_lists": word_lists, "cities": city_rows, "shops": shop_rows,
    "routes": route_rows, "boxes": parcel_rows, "ratings": rate_rows,
    "offers": offer_rows, "labels": label_rows, "fates": fate_rows,
    "steps": step_rows,
}
