"""Made-up people, real cities: what the demo's shop sends to whom."""

FIRST = ("Ada", "Ben", "Carla", "Dmitri", "Elena", "Farid", "Grace", "Hugo", "Ines",
         "Jonas", "Keiko", "Liam", "Maya", "Noah", "Olga", "Pablo", "Quinn", "Rosa",
         "Sven", "Tara", "Umar", "Vera", "Wanda", "Xavier", "Yusuf", "Zoe", "Anton",
         "Bianca", "Colin", "Daria", "Emil", "Fiona", "Gideon", "Hana", "Isaac", "June")
LAST = ("Abbott", "Bauer", "Castillo", "Delgado", "Ellis", "Foster", "Grant", "Huang",
        "Iverson", "Jensen", "Kowalski", "Larsen", "Mbeki", "Novak", "Okafor", "Petrov",
        "Quigley", "Romano", "Sato", "Turner", "Ueda", "Vargas", "Whitfield", "Xu",
        "Young", "Zimmer", "Ashby", "Brandt", "Chandra", "Doyle", "Egan", "Fischer")
STREETS = ("Maple St", "Oak Ave", "2nd St", "Washington Blvd", "Lake Rd", "Hillcrest Dr",
           "Park Ave", "Elm St", "Cedar Ln", "Mission St", "River Rd", "Church St",
           "Sunset Blvd", "Franklin Ave", "Highland Ave", "Spring St", "Pine Ct",
           "Market St", "College Ave", "Union St", "Jefferson St", "Willow Way")
COMPANIES = ("Bluebird Bicycles", "Northside Dental", "Harbor Books", "Lumen Studio",
             "Cedar & Sons", "Peak Outfitters", "Tidewater Cafe", "Garnet Design")

# City, state, ZIP, and how often (large cities order more).
CITIES = (
    ("New York", "NY", "10011", 14), ("Brooklyn", "NY", "11215", 10),
    ("Los Angeles", "CA", "90026", 12), ("San Diego", "CA", "92103", 6),
    ("San Jose", "CA", "95112", 5), ("Oakland", "CA", "94609", 5),
    ("Chicago", "IL", "60614", 9), ("Houston", "TX", "77006", 7),
    ("Austin", "TX", "78704", 7), ("Dallas", "TX", "75206", 6),
    ("Phoenix", "AZ", "85004", 5), ("Philadelphia", "PA", "19107", 6),
    ("Seattle", "WA", "98122", 7), ("Portland", "OR", "97214", 6),
    ("Denver", "CO", "80205", 6), ("Boulder", "CO", "80302", 2),
    ("Boston", "MA", "02116", 6), ("Cambridge", "MA", "02139", 2),
    ("Atlanta", "GA", "30312", 5), ("Miami", "FL", "33130", 5),
    ("Orlando", "FL", "32801", 3), ("Tampa", "FL", "33602", 3),
    ("Nashville", "TN", "37206", 4), ("Memphis", "TN", "38104", 2),
    ("Charlotte", "NC", "28204", 3), ("Raleigh", "NC", "27601", 3),
    ("Minneapolis", "MN", "55408", 4), ("Madison", "WI", "53703", 3),
    ("Detroit", "MI", "48201", 3), ("Ann Arbor", "MI", "48104", 2),
    ("Columbus", "OH", "43215", 3), ("Cleveland", "OH", "44113", 2),
    ("Pittsburgh", "PA", "15222", 3), ("Baltimore", "MD", "21230", 3),
    ("Washington", "DC", "20009", 4), ("Richmond", "VA", "23220", 2),
    ("New Orleans", "LA", "70117", 2), ("St. Louis", "MO", "63110", 2),
    ("Kansas City", "MO", "64108", 2), ("Salt Lake City", "UT", "84102", 3),
    ("Boise", "ID", "83702", 1), ("Albuquerque", "NM", "87102", 1),
    ("Omaha", "NE", "68102", 1), ("Anchorage", "AK", "99501", 1),
    ("Honolulu", "HI", "96813", 1), ("Burlington", "VT", "05401", 1),
)
# Street, city, state or null, postal code, country, and how often.
ABROAD = (
    ("88 Queen St W", "Toronto", "ON", "M5H 2N2", "CA", 6),
    ("1420 Rue Sherbrooke O", "Montreal", "QC", "H3G 1K4", "CA", 3),
    ("555 W Hastings St", "Vancouver", "BC", "V6B 4N6", "CA", 3),
    ("14 Camden Passage", "London", None, "N1 8EA", "GB", 5),
    ("Rosenthaler Str. 40", "Berlin", None, "10178", "DE", 4),
    ("12 Rue de Charonne", "Paris", None, "75011", "FR", 3),
    ("Keizersgracht 105", "Amsterdam", None, "1015 CH", "NL", 2),
    ("3-15-2 Jingumae", "Tokyo", None, "150-0001", "JP", 3),
    ("41 Crown St", "Sydney", "NSW", "2010", "AU", 3),
    ("Av. Álvaro Obregón 99", "Ciudad de México", "CDMX", "06700", "MX", 2),
)

# Where the shop sends from.
WAREHOUSES = (
    {"name": "Juniper Goods", "company": "Juniper Goods LLC",
     "street1": "2020 E 7th St", "city": "Oakland", "state": "CA", "zip": "94606",
     "country": "US", "phone": "5105550117", "email": "shipping@juniper.example"},
    {"name": "Juniper Goods East", "company": "Juniper Goods LLC",
     "street1": "350 Warehouse Row", "city": "Newark", "state": "NJ", "zip": "07105",
     "country": "US", "phone": "9735550164", "email": "shipping@juniper.example"},
)

# Description, tariff number, price in dollars, ounces, box in inches, how often.
GOODS = (
    ("Stoneware mug", "691200", 24.0, 15.2, (6, 5, 5), 10),
    ("Set of four plates", "691110", 68.0, 84.0, (12, 12, 6), 4),
    ("Wool scarf", "611710", 45.0, 9.5, (10, 8, 3), 8),
    ("Linen shirt", "620520", 79.0, 13.0, (12, 9, 2), 8),
    ("Canvas backpack", "420292", 118.0, 38.0, (18, 13, 6), 5),
    ("Beeswax candle", "340600", 18.5, 12.4, (5, 4, 4), 9),
    ("Cast iron pan", "732391", 52.0, 92.0, (14, 11, 4), 4),
    ("Notebook, dotted", "482010", 14.0, 10.8, (9, 6, 1), 9),
    ("Desk lamp", "940520", 96.0, 61.0, (16, 10, 8), 3),
    ("Coffee beans, 5 lb", "090121", 71.0, 86.0, (12, 8, 5), 5),
    ("Folding chair", "940171", 149.0, 208.0, (36, 20, 6), 1),
)


def pick(random, table):
    """A row, by the weight in its last column."""
    return random.choices(table, weights=[row[-1] for row in table])[0]


def person(random):
    return f"{random.choice(FIRST)} {random.choice(LAST)}"


def contact(random, name):
    word = name.lower().replace(" ", ".")
    return {"phone": f"{random.randrange(201, 989)}555{random.randrange(100, 200):04d}",
            "email": f"{word}@mail.example"}


def customer(random):
    name = person(random)
    city, state, code, _ = pick(random, CITIES)
    address = {"name": name, "street1": f"{random.randrange(12, 4980)} "
               f"{random.choice(STREETS)}", "city": city, "state": state, "zip": code,
               "country": "US", **contact(random, name)}
    if random.random() < 0.3:
        address["street2"] = f"Apt {random.randrange(1, 40)}"
    elif random.random() < 0.1:
        address["company"] = random.choice(COMPANIES)
    return address


def customer_abroad(random):
    name = person(random)
    street, city, state, code, country, _ = pick(random, ABROAD)
    address = {"name": name, "street1": street, "city": city, "zip": code,
               "country": country, **contact(random, name)}
    if state:
        address["state"] = state
    return address


def basket(random):
    """One to three pieces of one article: (parcel, customs item)."""
    what, tariff, dollars, ounces, (length, width, height), _ = pick(random, GOODS)
    count = random.choices((1, 2, 3), weights=(7, 2, 1))[0]
    parcel = {"length": float(length), "width": float(width),
              "height": float(height * count),
              "weight": round(ounces * count + random.uniform(2, 5), 1)}
    item = {"description": what, "quantity": count, "value": dollars * count,
            "weight": round(ounces * count, 1), "hs_tariff_number": tariff,
            "origin_country": "US"}
    return parcel, item
