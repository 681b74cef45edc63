"""Addresses with their verification, parcels, customs items and customs infos."""

import errors
import objects
import places
from errors import ADDRESS_NOT_FOUND
from reply import created
from server import route

STREET_WORDS = {"STREET": "ST", "AVENUE": "AVE", "DRIVE": "DR", "ROAD": "RD",
                "BOULEVARD": "BLVD", "LANE": "LN", "COURT": "CT", "PLACE": "PL"}


def wants(flag):
    """verify and verify_strict: true, "true", or a list of checks."""
    return flag not in (None, False, "false", "False", "", [], 0)


def exists(address):
    """Whether there could be a house at that address."""
    street = (address["street1"] or "").strip()
    low = street.lower()
    if not street or not address["city"]:
        return False
    if "unknown" in low or "invalid" in low or low.startswith("000 "):
        return False
    if address["country"] != "US":
        return len(address["country"]) == 2
    if not any(letter.isdigit() for letter in street):
        return False
    return bool(address["state"] and address["zip"]
                and places.fits(address["state"], address["zip"]))


def verify(address):
    """Fill in the verifications; True if the address stands up."""
    good = exists(address)
    details = {}
    if good:
        correct(address)
        latitude, longitude = places.point(address)
        details = {"latitude": round(latitude, 5), "longitude": round(longitude, 5),
                   "time_zone": places.time_zone(address)}
    problems = [] if good else [dict(ADDRESS_NOT_FOUND)]
    checks = ("zip4", "delivery") if address["country"] == "US" else ("delivery",)
    address["verifications"] = {
        check: {"success": good, "errors": list(problems),
                "details": None if check == "zip4" else details}
        for check in checks}
    return good


def correct(address):
    """As the post office writes it: capitals, ZIP+4, no second street line."""
    for name in ("name", "company", "street1", "street2", "city", "state"):
        if address[name]:
            address[name] = address[name].upper()
    if address["country"] != "US":
        return
    words = " ".join(filter(None, (address["street1"], address["street2"]))).split()
    address["street1"] = " ".join(STREET_WORDS.get(word.rstrip("."), word)
                                  for word in words)
    address["street2"] = ""
    if len(address["zip"]) == 5:
        suffix = sum(ord(letter) * (place + 7)
                     for place, letter in enumerate(address["street1"])) % 9000 + 1000
        address["zip"] = f"{address['zip']}-{suffix}"
    address["residential"] = not address["company"]


def make(call, params):
    """An address from inline parameters, verified if they say so."""
    address = objects.address(call.ids, call.mode, call.now, params)
    strict = wants(params.get("verify_strict"))
    if strict or wants(params.get("verify")):
        if not verify(address) and strict:
            raise errors.verify_failure()
    call.space.put(address, call.now)
    return address


def resolve(call, value, field):
    """{"id": ...}, a bare id, or an address in full."""
    if value in (None, "", {}):
        raise errors.required(field)
    if isinstance(value, str):
        return call.space.get(value, "adr")
    if not isinstance(value, dict):
        raise errors.invalid(field, "must be an object")
    if value.get("id"):
        return call.space.get(value["id"], "adr")
    return make(call, value)


@route("POST", "/v2/addresses")
def create_address(call):
    params = dict(call.wrapped("address"))
    for flag in ("verify", "verify_strict"):
        if flag in call.body:
            params[flag] = call.body[flag]
    return created("addresses", make(call, params))


@route("GET", "/v2/addresses", is_list=True)
def list_addresses(call):
    found, more = call.space.page("adr", call)
    return 200, {"addresses": found, "has_more": more}


@route("POST", "/v2/addresses/create_and_verify")
def create_and_verify(call):
    params = call.body.get("address")
    if not isinstance(params, dict) or not params:
        raise errors.required("address")
    address = objects.address(call.ids, call.mode, call.now, params)
    if not verify(address):
        raise errors.verify_failure()
    return 200, {"address": call.space.put(address, call.now)}


@route("GET", "/v2/addresses/*")
def get_address(call):
    return 200, call.space.get(call.args[0], "adr")


@route("GET", "/v2/addresses/*/verify")
def verify_address(call):
    address = call.space.get(call.args[0], "adr")
    if not exists(address):
        raise errors.verify_failure()
    verify(address)
    return 200, {"address": address}


@route("POST", "/v2/parcels")
def create_parcel(call):
    parcel = objects.parcel(call.ids, call.mode, call.now, call.wrapped("parcel"))
    return created("parcels", call.space.put(parcel, call.now))


@route("GET", "/v2/parcels/*")
def get_parcel(call):
    key = call.args[0]
    return 200, call.space.get(key, "prcl", [{"field": key, "message": "not found"}])


def resolve_parcel(call, value, where="parcel."):
    if value in (None, "", {}):
        raise errors.required("parcel")
    if isinstance(value, str):
        return call.space.get(value, "prcl")
    if not isinstance(value, dict):
        raise errors.invalid("parcel", "must be an object")
    if value.get("id"):
        return call.space.get(value["id"], "prcl")
    parcel = objects.parcel(call.ids, call.mode, call.now, value, where)
    return call.space.put(parcel, call.now)


@route("POST", "/v2/customs_items")
def create_customs_item(call):
    item = objects.customs_item(call.ids, call.mode, call.now,
                                call.wrapped("customs_item"))
    return created("customs_items", call.space.put(item, call.now))


@route("GET", "/v2/customs_items/*")
def get_customs_item(call):
    return 200, call.space.get(call.args[0], "cstitem")


def make_customs_info(call, params):
    items = params.get("customs_items") or []
    if not isinstance(items, list):
        raise errors.invalid("customs_items", "must be an array")
    made = []
    for item in items:
        if isinstance(item, str):
            made.append(call.space.get(item, "cstitem"))
        elif isinstance(item, dict) and item.get("id"):
            made.append(call.space.get(item["id"], "cstitem"))
        elif isinstance(item, dict):
            obj = objects.customs_item(call.ids, call.mode, call.now, item)
            made.append(call.space.put(obj, call.now))
        else:
            raise errors.invalid("customs_items", "must be objects")
    info = objects.customs_info(call.ids, call.mode, call.now, params, made)
    return call.space.put(info, call.now)


def resolve_customs_info(call, value):
    if value in (None, "", {}):
        return None
    if isinstance(value, str):
        return call.space.get(value, "cstinfo")
    if not isinstance(value, dict):
        raise errors.invalid("customs_info", "must be an object")
    if value.get("id"):
        return call.space.get(value["id"], "cstinfo")
    return make_customs_info(call, value)


@route("POST", "/v2/customs_infos")
def create_customs_info(call):
    return created("customs_infos", make_customs_info(call, call.wrapped("customs_info")))


@route("GET", "/v2/customs_infos/*")
def get_customs_info(call):
    return 200, call.space.get(call.args[0], "cstinfo")
