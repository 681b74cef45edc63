"""Carriers: what a label costs, how it is numbered, and the life of its parcel.

Prices are invented but behave: they rise with weight and zone, express costs more
than ground, list is not below the negotiated rate, retail is not below list.
A life is a list of Steps with the hours since the step before, so that it can be
played by the simulated clock or one step at a time.
"""

import math
from collections import namedtuple

import places
from objects import location
from store import stamp

Quote = namedtuple("Quote", "carrier service cents list_cents retail_cents days "
                            "delivery_date guaranteed billing_type account_id")
Step = namedtuple("Step", "hours status detail message description code place source",
                  defaults=(None,))
Service = namedtuple("Service", "carrier name base per_pound per_zone days guaranteed")

# Carrier accounts every simulated user has: type, carrier, readable, billing.
ACCOUNTS = (
    ("UspsAccount", "USPS", "USPS", "easypost"),
    ("UpsAccount", "UPS", "UPS", "carrier"),
    ("FedexAccount", "FedEx", "FedEx", "carrier"),
    ("DhlExpressAccount", "DHLExpress", "DHL Express", "carrier"),
)

# Cents: base price, per pound, per zone and pound; days in transit for zones 1..8.
DOMESTIC = (
    Service("USPS", "Express", 2995, 130, 62, (1, 1, 1, 1, 2, 2, 2, 2), False),
    Service("USPS", "Priority", 742, 48, 24, (1, 2, 2, 2, 2, 3, 3, 3), False),
    Service("USPS", "GroundAdvantage", 480, 32, 16, (2, 2, 3, 3, 4, 4, 5, 5), False),
    Service("UPS", "Ground", 915, 38, 17, (1, 1, 2, 2, 3, 4, 4, 5), True),
    Service("UPS", "3DaySelect", 1340, 76, 38, (3, 3, 3, 3, 3, 3, 3, 3), True),
    Service("UPS", "2ndDayAir", 1985, 118, 55, (2, 2, 2, 2, 2, 2, 2, 2), True),
    Service("UPS", "NextDayAir", 4420, 190, 90, (1, 1, 1, 1, 1, 1, 1, 1), True),
    Service("FedEx", "FEDEX_GROUND", 932, 37, 18, (1, 1, 2, 2, 3, 4, 4, 5), False),
    Service("FedEx", "FEDEX_EXPRESS_SAVER", 1395, 80, 39, (3,) * 8, True),
    Service("FedEx", "FEDEX_2_DAY", 2060, 112, 54, (2,) * 8, True),
    Service("FedEx", "STANDARD_OVERNIGHT", 4290, 185, 92, (1,) * 8, True),
)
INTERNATIONAL = (
    Service("USPS", "FirstClassPackageInternationalService", 1560, 420, 0, 12, False),
    Service("USPS", "PriorityMailInternational", 3890, 390, 0, 8, False),
    Service("USPS", "ExpressMailInternational", 5735, 470, 0, 5, False),
    Service("UPS", "Expedited", 6480, 520, 0, 5, True),
    Service("UPS", "UPSSaver", 8140, 610, 0, 3, True),
    Service("FedEx", "INTERNATIONAL_ECONOMY", 6725, 530, 0, 5, False),
    Service("FedEx", "INTERNATIONAL_PRIORITY", 8390, 620, 0, 3, True),
    Service("DHLExpress", "ExpressWorldwideNonDoc", 7260, 560, 0, 3, False),
)
FAR_FACTOR = {"CA": 0.72, "MX": 0.85}       # of the price to anywhere else
HEAVIEST_OUNCES = {"USPS": 1120, "UPS": 2400, "FedEx": 2400, "DHLExpress": 2460}
NO_CUSTOMS = ("'customs_info' is required for international shipments, shipments bound "
              "for US military bases, or US territories")


def zone(sender, recipient):
    """USPS zone 1..8 by distance, null outside the United States."""
    if sender["country"] != "US" or recipient["country"] != "US":
        return None
    miles = places.miles(sender, recipient)
    for number, limit in enumerate((50, 150, 300, 600, 1000, 1400, 1800), start=1):
        if miles <= limit:
            return number
    return 8


def quotes(sender, recipient, parcel, customs, accounts, now):
    """(quotes, messages); `accounts`: (carrier, account id, billing type) triples."""
    found, messages = [], []
    abroad = sender["country"] != recipient["country"]
    services = INTERNATIONAL if abroad else DOMESTIC
    for carrier, account_id, billing_type in accounts:
        problem = refusal(carrier, sender, recipient, parcel, customs, abroad)
        if problem:
            messages.append({"carrier": carrier, "carrier_account_id": account_id,
                             "type": "rate_error", "message": problem})
            continue
        for service in services:
            if service.carrier == carrier:
                found.append(price(service, sender, recipient, parcel, account_id,
                                   billing_type, now))
    return found, messages


def refusal(carrier, sender, recipient, parcel, customs, abroad):
    if parcel["weight"] > HEAVIEST_OUNCES.get(carrier, 2400):
        return "The parcel is heavier than the carrier accepts."
    if abroad and customs is None:
        return NO_CUSTOMS
    if carrier == "DHLExpress" and not abroad:
        return "The carrier does not offer domestic services for this account."
    if not abroad and sender["country"] != "US":
        return "No rates are available for the given origin and destination."
    for address in (sender, recipient):
        if not address["zip"] and address["country"] == "US":
            return "A postal code is required."
    return None


def billable_pounds(service, parcel):
    pounds = max(1, math.ceil(parcel["weight"] / 16))
    sizes = (parcel["length"], parcel["width"], parcel["height"])
    if service.carrier != "USPS" and all(sizes):
        pounds = max(pounds, math.ceil(sizes[0] * sizes[1] * sizes[2] / 166))
    return pounds


def price(service, sender, recipient, parcel, account_id, billing_type, now):
    pounds = billable_pounds(service, parcel)
    if isinstance(service.days, tuple):
        distance = zone(sender, recipient)
        cents = service.base + (pounds - 1) * service.per_pound \
            + pounds * distance * service.per_zone
        days = service.days[distance - 1]
    else:
        cents = service.base + (pounds - 1) * service.per_pound
        cents = int(cents * FAR_FACTOR.get(recipient["country"], 1))
        days = service.days
    listed = cents * 112 // 100 if service.carrier != "USPS" else cents * 108 // 100
    retail = -(-cents * 131 // 500) * 5
    arrival = None
    if service.guaranteed:
        arrival = stamp(business_day(now, days))[:10] + "T23:00:00Z"
    return Quote(service.carrier, service.name, cents, listed, max(retail, listed), days,
                 arrival, service.guaranteed, billing_type, account_id)


def business_day(now, days):
    """Epoch seconds so many working days after `now`."""
    while days > 0:
        now += 86400
        if (int(now // 86400) + 3) % 7 < 5:     # day 0 of the epoch was a Thursday
            days -= 1
    return now


def tracking_code(random, carrier, service):
    digits = "".join(str(random.randrange(10)) for _ in range(17))
    if carrier == "USPS":
        start = "9470" if service.startswith("Express") else \
            "9405" if service == "Priority" else "9400"
        body = start + "1" + digits[:16]
        return body + usps_check_digit(body)
    if carrier == "UPS":
        return "1Z" + "8A4W39" + digits[:10]
    if carrier == "FedEx":
        return "7" + digits[:11]
    return digits[:10]


def usps_check_digit(body):
    total = sum(int(digit) * (3 if place % 2 == 0 else 1)
                for place, digit in enumerate(reversed(body)))
    return str(-total % 10)


def carrier_of_code(code):
    if code.startswith("EZ"):
        return "USPS"
    if code.startswith("1Z"):
        return "UPS"
    if code.isdigit():
        if len(code) in (20, 22) and code[0] == "9":
            return "USPS"
        return {12: "FedEx", 15: "FedEx", 10: "DHLExpress"}.get(len(code))
    return None


# -- lives ---------------------------------------------------------------------


TEST_CODES = {
    "EZ1000000001": "pre_transit", "EZ2000000002": "in_transit",
    "EZ3000000003": "out_for_delivery", "EZ4000000004": "delivered",
    "EZ5000000005": "return_to_sender", "EZ6000000006": "failure",
    "EZ7000000007": "unknown",
}
TEST_CODE_PROBLEM = (
    "In test mode, only test tracking numbers are valid. Test tracking numbers are "
    "EZ1000000001, EZ2000000002, ... , EZ7000000007")
FINAL = {"delivered", "return_to_sender", "failure", "cancelled", "error"}
# Of a thousand parcels; the rest is delivered in time.
TROUBLES = (("return_to_sender", 22), ("failure", 13), ("available_for_pickup", 15))
LATE = {"USPS": 75, "UPS": 45, "FedEx": 60, "DHLExpress": 30}
SIGNERS = ("J SMITH", "FRONT DESK", "M GARCIA", "RECEPTION", "K NGUYEN", "LEFT AT DOOR")


def outcome(random, carrier):
    ticket = random.randrange(1000)
    for name, share in TROUBLES + (("late", LATE.get(carrier, 60)),):
        ticket -= share
        if ticket < 0:
            return name
    return "delivered"


def life(random, carrier, sender, recipient, days, end):
    """Steps from the label to `end`, which is a status or "late"."""
    country = None if carrier == "USPS" else "US"
    origin = place_of(sender, country)
    target = place_of(recipient, country)
    hubs = [location(city, state, country, zip_code)
            for city, state, zip_code in places.hubs(sender, recipient)]
    say = WORDS.get(carrier, WORDS["*"])
    slack = random.uniform(24, 72) if end == "late" else random.uniform(-14, 6)
    total = max(16.0, days * 24 + slack)
    steps = [
        Step(0.1, "pre_transit", "label_created", say[0], "", say[7], location()),
        Step(random.uniform(3, 14), "in_transit", "arrived_at_facility", say[1], "",
             say[8], origin),
        Step(random.uniform(1, 4), "in_transit", "departed_facility", say[2], "", "DP",
             origin),
    ]
    middle = max(2.0, total - 18)
    for hub in hubs:
        share = middle / len(hubs)
        steps.append(Step(share * random.uniform(0.8, 1.1), "in_transit",
                          "arrived_at_facility", say[3], "", "AR", hub))
    steps.append(Step(random.uniform(1, 5), "in_transit", "arrived_at_facility", say[4],
                      "", "AR", target))
    return steps + last_miles(random, say, target, origin, end)


def last_miles(random, say, target, origin, end):
    on_van = Step(random.uniform(1, 5), "out_for_delivery", "out_for_delivery", say[5],
                  "", "OD", target)
    handed = Step(random.uniform(1, 8), "delivered", "arrived_at_destination", say[6], "",
                  "DL", target)
    attempt = Step(random.uniform(2, 8), "in_transit", "status_update",
                   "Delivery attempted, nobody at the address", "", "DE", target)
    if end == "return_to_sender":
        return [on_van, attempt,
                Step(30, "return_to_sender", "return", "Being returned to the sender",
                     "", "RS", target),
                Step(60, "return_to_sender", "return", "Returned to the sender", "",
                     "RS", origin)]
    if end == "failure":
        return [on_van, Step(random.uniform(2, 8), "failure", "address_correction",
                             "Undeliverable as addressed", "", "CA", target)]
    if end == "available_for_pickup":
        return [on_van, attempt,
                Step(18, "available_for_pickup", "available_for_pickup",
                     "Ready for collection", "", "HL", target),
                handed._replace(hours=26)]
    if end == "cancelled":
        return [Step(1, "cancelled", "cancelled", "Shipment cancelled", "", "CN", origin)]
    if end == "error":
        return [Step(1, "error", "unknown", "The carrier reported an error", "", "ER",
                     location(), "ProcessingError")]
    return [on_van, handed]


def place_of(address, country):
    if address["country"] != "US":
        country = address["country"]
    return location((address["city"] or "").upper() or None, address["state"], country,
                    (address["zip"] or "")[:5] or None)


# label made, taken over, departed, at a hub, at the last office, on the van, delivered,
# carrier codes of the first two
WORDS = {
    "USPS": ("Shipping Label Created", "USPS in Possession of Item",
             "Departed USPS Facility", "Arrived at USPS Facility",
             "Arrived at Post Office", "Out for Delivery", "Delivered", "", ""),
    "UPS": ("Shipper created a label", "Origin Scan", "Departed from Facility",
            "Arrived at Facility", "Destination Scan", "Out For Delivery", "DELIVERED",
            "MP", "OR"),
    "FedEx": ("Shipment information sent to FedEx", "Picked up",
              "Departed FedEx location", "Arrived at FedEx location",
              "At local FedEx facility", "On FedEx vehicle for delivery", "Delivered",
              "OC", "PU"),
    "*": ("Shipment information received", "Shipment picked up", "Departed facility",
          "Arrived at sort facility", "Arrived at delivery facility",
          "With delivery courier", "Delivered", "SI", "PU"),
}

# A parcel of a test code, always the same journey: hours before the tracker was made.
TEST_JOURNEY = (
    (744.0, "pre_transit", "status_update", "Pre-Shipment Info Sent to USPS", None),
    (731.4, "pre_transit", "status_update", "Shipping Label Created",
     ("HOUSTON", "TX", "77063")),
    (721.3, "in_transit", "arrived_at_facility", "Arrived at USPS Origin Facility",
     ("NORTH HOUSTON", "TX", "77315")),
    (695.7, "in_transit", "arrived_at_facility", "Arrived at USPS Facility",
     ("COLUMBIA", "SC", "29201")),
    (692.9, "in_transit", "arrived_at_facility", "Arrived at Post Office",
     ("CHARLESTON", "SC", "29407")),
    (687.2, "in_transit", "status_update", "Sorting Complete",
     ("CHARLESTON", "SC", "29407")),
    (687.0, "out_for_delivery", "out_for_delivery", "Out for Delivery",
     ("CHARLESTON", "SC", "29407")),
    (682.2, "delivered", "arrived_at_destination", "Delivered",
     ("CHARLESTON", "SC", "29407")),
)
TEST_STEPS = {"unknown": 0, "pre_transit": 2, "in_transit": 6, "out_for_delivery": 7,
              "delivered": 8, "return_to_sender": 6, "failure": 7}


def test_journey(status):
    """(hours ago, Step) pairs that end in `status`."""
    steps = []
    for hours, state, detail, message, place in TEST_JOURNEY[:TEST_STEPS[status]]:
        spot = location(place[0], place[1], None, place[2]) if place else location()
        steps.append((hours, Step(0, state, detail, message, "", "", spot)))
    spot = location("CHARLESTON", "SC", None, "29407")
    if status == "return_to_sender":
        steps.append((682.2, Step(0, status, "return", "Returned to Sender", "", "",
                                  spot)))
    if status == "failure":
        steps.append((682.2, Step(0, status, "failure", "Delivery Failed", "", "",
                                  spot)))
    return steps
