"""A rough map: where states and ZIP codes lie, and which sorting centres are between.

Good enough for zones, prices and a believable list of scans; not for navigation.
"""

import math

# Capital or largest city of each state: latitude, longitude, first ZIP digits.
STATES = {
    "AL": (32.4, -86.3, 350, 369), "AK": (61.2, -149.9, 995, 999),
    "AZ": (33.4, -112.1, 850, 865), "AR": (34.7, -92.3, 716, 729),
    "CA": (36.8, -119.8, 900, 961), "CO": (39.7, -105.0, 800, 816),
    "CT": (41.8, -72.7, 60, 69), "DE": (39.2, -75.5, 197, 199),
    "DC": (38.9, -77.0, 200, 205), "FL": (28.5, -81.4, 320, 349),
    "GA": (33.7, -84.4, 300, 319), "HI": (21.3, -157.8, 967, 968),
    "ID": (43.6, -116.2, 832, 838), "IL": (41.9, -87.6, 600, 629),
    "IN": (39.8, -86.2, 460, 479), "IA": (41.6, -93.6, 500, 528),
    "KS": (37.7, -97.3, 660, 679), "KY": (38.3, -85.8, 400, 427),
    "LA": (30.0, -90.1, 700, 714), "ME": (43.7, -70.3, 39, 49),
    "MD": (39.3, -76.6, 206, 219), "MA": (42.4, -71.1, 10, 27),
    "MI": (42.3, -83.0, 480, 499), "MN": (45.0, -93.3, 550, 567),
    "MS": (32.3, -90.2, 386, 397), "MO": (38.6, -90.2, 630, 658),
    "MT": (46.6, -112.0, 590, 599), "NE": (41.3, -96.0, 680, 693),
    "NV": (36.2, -115.1, 889, 898), "NH": (43.0, -71.5, 30, 38),
    "NJ": (40.7, -74.2, 70, 89), "NM": (35.1, -106.7, 870, 884),
    "NY": (40.7, -74.0, 100, 149), "NC": (35.2, -80.8, 270, 289),
    "ND": (46.9, -96.8, 580, 588), "OH": (40.0, -83.0, 430, 459),
    "OK": (35.5, -97.5, 730, 749), "OR": (45.5, -122.7, 970, 979),
    "PA": (40.0, -75.1, 150, 196), "RI": (41.8, -71.4, 28, 29),
    "SC": (34.0, -81.0, 290, 299), "SD": (43.5, -96.7, 570, 577),
    "TN": (36.2, -86.8, 370, 385), "TX": (31.0, -97.5, 750, 799),
    "UT": (40.8, -111.9, 840, 847), "VT": (44.5, -73.2, 50, 59),
    "VA": (37.5, -77.4, 201, 246), "WA": (47.6, -122.3, 980, 994),
    "WV": (38.3, -81.6, 247, 268), "WI": (43.0, -87.9, 530, 549),
    "WY": (41.1, -104.8, 820, 831), "PR": (18.4, -66.1, 6, 9),
}
ZONES = {"AK": "America/Anchorage", "HI": "Pacific/Honolulu", "AZ": "America/Phoenix"}

HUBS = (
    ("LOS ANGELES", "CA", "90052", 34.0, -118.2), ("OAKLAND", "CA", "94615", 37.8, -122.3),
    ("SEATTLE", "WA", "98168", 47.5, -122.3), ("DENVER", "CO", "80266", 39.8, -104.8),
    ("PHOENIX", "AZ", "85026", 33.4, -112.1), ("DALLAS", "TX", "75260", 32.8, -96.9),
    ("HOUSTON", "TX", "77201", 29.8, -95.4), ("MINNEAPOLIS", "MN", "55401", 45.0, -93.3),
    ("KANSAS CITY", "MO", "64108", 39.1, -94.6), ("CHICAGO", "IL", "60607", 41.9, -87.7),
    ("LOUISVILLE", "KY", "40231", 38.2, -85.7), ("MEMPHIS", "TN", "38101", 35.1, -90.0),
    ("ATLANTA", "GA", "30304", 33.7, -84.4), ("ORLANDO", "FL", "32802", 28.5, -81.4),
    ("CHARLOTTE", "NC", "28228", 35.2, -80.9), ("NEWARK", "NJ", "07102", 40.7, -74.2),
    ("PITTSBURGH", "PA", "15290", 40.4, -80.0), ("BOSTON", "MA", "02205", 42.3, -71.0),
)
GATES = {"EU": ("NEW YORK", "NY", "11430"), "CA": ("CHICAGO", "IL", "60666"),
         "MX": ("DALLAS", "TX", "75260"), "ASIA": ("LOS ANGELES", "CA", "90009")}
ASIA = {"AU", "CN", "HK", "IN", "JP", "KR", "NZ", "SG", "TW", "TH", "VN"}


def zip3(address):
    text = (address["zip"] or "")[:3]
    return int(text) if text.isascii() and text.isdigit() and len(text) == 3 else None


def fits(state, zip_code):
    """Whether a five-digit ZIP code can lie in the state."""
    digits = zip_code[:5]
    if state not in STATES or len(digits) != 5 or not digits.isdigit():
        return False
    low, high = STATES[state][2:]
    return low <= int(digits[:3]) <= high


def point(address):
    """Latitude and longitude; the last ZIP digits move it within its state."""
    latitude, longitude, low, high = STATES.get(address["state"],
                                                (39.0, -95.0, 0, 999))
    code = zip3(address)
    if code is None:
        return latitude, longitude
    share = (code - low) / max(1, high - low) - 0.5
    size = 8.0 if address["state"] in ("CA", "TX", "AK") else 2.0
    return latitude + share * size, longitude - share * size * 0.7


def distance(a, b):
    """Miles between two points, by the haversine formula."""
    lat1, lon1, lat2, lon2 = map(math.radians, (*a, *b))
    h = math.sin((lat2 - lat1) / 2) ** 2 \
        + math.cos(lat1) * math.cos(lat2) * math.sin((lon2 - lon1) / 2) ** 2
    return 7918 * math.asin(math.sqrt(min(1.0, h)))


def miles(sender, recipient):
    return distance(point(sender), point(recipient))


def time_zone(address):
    if address["state"] in ZONES:
        return ZONES[address["state"]]
    longitude = point(address)[1]
    if longitude < -114:
        return "America/Los_Angeles"
    if longitude < -101:
        return "America/Denver"
    return "America/Chicago" if longitude < -86.5 else "America/New_York"


def hubs(sender, recipient):
    """Sorting centres on the way: (city, state, zip), one to three of them."""
    if recipient["country"] != "US":
        country = recipient["country"]
        gate = GATES.get(country) or GATES["ASIA" if country in ASIA else "EU"]
        return [nearest(point(sender))[:3], gate] if sender["country"] == "US" else [gate]
    if sender["country"] != "US":
        return [GATES["EU"], nearest(point(recipient))[:3]]
    start, end = point(sender), point(recipient)
    way = [nearest(start)]
    if distance(start, end) > 700:
        way.append(nearest(((start[0] + end[0]) / 2, (start[1] + end[1]) / 2)))
    way.append(nearest(end))
    found = []
    for hub in way:
        if hub[:3] not in found:
            found.append(hub[:3])
    return found


def nearest(spot):
    return min(HUBS, key=lambda hub: distance(spot, hub[3:]))
