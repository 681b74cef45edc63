"""The user: keys, child users, carrier accounts, webhooks, events, billing."""

import json
import re

import carriers
import errors
import objects
from errors import invalid, required
from reply import Reply, created, dumps, with_newline
from server import route
from store import stamp

FOUNDED = 1524242541        # the simulated account is some years old
OWN_ACCOUNTS = {"DhlEcsAccount": "DHL eCommerce", "UpsAccount": "UPS",
                "FedexAccount": "FedEx", "UspsAccount": "USPS",
                "DhlExpressAccount": "DHL Express", "CanadaPostAccount": "Canada Post",
                "AmazonShippingAccount": "Amazon Shipping", "OnTracV3Account": "OnTrac",
                "PurolatorAccount": "Purolator", "AccurateAccount": "Accurate"}
CARRIER_OF_TYPE = {kind: carrier for kind, carrier, _, _ in carriers.ACCOUNTS}


def found(app):
    """What every account has from the beginning, in both modes."""
    store = app.store
    store.user = objects.user(store.user_id, None, "Simulated Shop", stamp(FOUNDED))
    store.user.update(objects.account_facts("owner@example.com"))
    store.children = {}
    store.key_objects = []
    for key, (mode, active, _user) in store.keys.items():
        store.key_objects.append(objects.api_key(store.ids.new("ak"), key, mode,
                                                 stamp(FOUNDED), active))
    store.brand = None
    store.payment_methods = {}
    for kind, carrier, readable, billing in carriers.ACCOUNTS:
        account = objects.carrier_account(store.ids, FOUNDED, kind, readable,
                                          f"{readable} Account", billing, False)
        for space in store.spaces.values():
            space.put(account, FOUNDED)
            space.remember(account["id"], carrier=carrier)


# -- users ---------------------------------------------------------------------


def with_children(call, user):
    shape = dict(user)
    shape["children"] = [dict(child, children=[])
                         for child in call.store.children.values()] \
        if user["parent_id"] is None else []
    return shape


@route("GET", "/v2/users")
def get_me(call):
    return 200, with_children(call, call.store.user)


def find_user(call, key):
    if key == call.store.user_id:
        return call.store.user
    if key in call.store.children:
        return call.store.children[key]
    raise errors.not_found()


def user_params(call):
    params = call.body.get("user", call.body)
    if not isinstance(params, dict):
        raise invalid("user", "must be an object")
    return params


@route("POST", "/v2/users")
def create_child(call):
    params = user_params(call)
    if not params.get("name"):
        raise required("name")
    child = objects.user(call.ids.new("user"), call.store.user_id, params["name"],
                         stamp(call.now), "8005550100")
    call.store.children[child["id"]] = child
    keys = [objects.api_key(call.ids.new("ak"), f"EZ{kind}{call.ids.new('x')[2:]}", mode,
                            stamp(call.now))
            for kind, mode in (("TK", "test"), ("AK", "production"))]
    for key in keys:
        call.store.keys[key["key"]] = [key["mode"], True, child["id"]]
    return 201, {**child, "children": [], "api_keys": keys}


@route("GET", "/v2/users/children", is_list=True)
def list_children(call):
    keys = list(call.store.children)
    after = call.param("after_id")
    if after:
        if after not in keys:
            raise errors.not_found()
        keys = keys[keys.index(after) + 1:]
    size = call.space._page_size(call)
    shown = [{name: call.store.children[key][name] for name in
              ("id", "object", "parent_id", "name", "phone_number", "verified",
               "created_at")} for key in keys[:size]]
    return 200, {"children": shown, "has_more": len(keys) > size}


@route("GET", "/v2/users/*")
def get_user(call):
    return 200, with_children(call, find_user(call, call.args[0]))


@route("PATCH", "/v2/users/*")
@route("PUT", "/v2/users/*")
def update_user(call):
    user = find_user(call, call.args[0])
    for name in ("name", "phone_number", "email", "recharge_amount",
                 "default_insurance_amount"):
        if name in user_params(call) and name in user:
            user[name] = objects.text_or_null(user_params(call), name)
    return 200, with_children(call, user)


@route("PATCH", "/v2/users")
@route("PUT", "/v2/users")
def update_me(call):
    call.args = [call.store.user_id]
    return update_user(call)


@route("DELETE", "/v2/users/*")
def delete_user(call):
    find_user(call, call.args[0])
    if call.store.children.pop(call.args[0], None) is None:
        raise errors.unprocessable("UNPROCESSABLE_ENTITY", "Only child users go.")
    return Reply(204)


@route("PATCH", "/v2/users/*/brand")
@route("PUT", "/v2/users/*/brand")
def update_brand(call):
    user = find_user(call, call.args[0])
    params = call.wrapped("brand")
    brand = call.store.brand or {
        "ad": None, "ad_href": None, "background_color": None, "color": "#303F9F",
        "id": call.ids.new("brd"), "logo": "https://assets.easypost.com/logo.svg",
        "logo_href": "https://www.easypost.com", "name": "EasyPost", "object": "Brand",
        "theme": "theme1", "user_id": user["id"]}
    for name in ("ad", "ad_href", "background_color", "color", "logo", "logo_href",
                 "theme"):
        if name in params:
            brand[name] = params[name]
    call.store.brand = brand
    return with_newline(200, brand)


@route("GET", "/v2/api_keys")
def list_keys(call):
    return 200, {"id": call.store.user_id, "keys": call.store.key_objects,
                 "children": [{"id": key, "keys": [], "children": []}
                              for key in call.store.children]}


@route("POST", "/v2/api_keys")
def create_key(call):
    mode = call.body.get("mode")
    if mode not in ("test", "production"):
        raise required("mode")
    kind = "TK" if mode == "test" else "AK"
    key = objects.api_key(call.ids.new("ak"), f"EZ{kind}{call.ids.new('x')[2:]}", mode,
                          stamp(call.now))
    call.store.key_objects.append(key)
    call.store.keys[key["key"]] = [mode, True, call.store.user_id]
    return 201, key


def find_key(call):
    for key in call.store.key_objects:
        if key["id"] == call.args[0]:
            return key
    raise errors.not_found()


@route("DELETE", "/v2/api_keys/*")
def delete_key(call):
    key = find_key(call)
    call.store.key_objects.remove(key)
    call.store.keys.pop(key["key"], None)
    return Reply(204)


@route("POST", "/v2/api_keys/*/enable")
def enable_key(call):
    return switch_key(call, True)


@route("POST", "/v2/api_keys/*/disable")
def disable_key(call):
    return switch_key(call, False)


def switch_key(call, active):
    key = find_key(call)
    key["active"] = active
    call.store.keys[key["key"]][1] = active
    return 200, key


# -- carrier accounts ----------------------------------------------------------


@route("GET", "/v2/carrier_accounts")
def list_carrier_accounts(call):
    return 200, call.space.all("ca")


def add_account(call, kind, description, reference=None):
    account = objects.carrier_account(call.ids, call.now, kind, OWN_ACCOUNTS[kind],
                                      description, "carrier", True)
    account["reference"] = reference
    for space in call.store.spaces.values():
        space.put(account, call.now)
        space.remember(account["id"], carrier=CARRIER_OF_TYPE.get(kind))
    return account


@route("POST", "/v2/carrier_accounts")
def create_carrier_account(call):
    params = call.wrapped("carrier_account")
    kind = params.get("type")
    if not kind:
        raise required("type")
    if not isinstance(kind, str) or kind not in OWN_ACCOUNTS:
        raise invalid("type", "is not a type of carrier account")
    account = add_account(call, kind, params.get("description")
                          or f"{OWN_ACCOUNTS[kind]} Account", params.get("reference"))
    return created("carrier_accounts", account)


@route("POST", "/v2/carrier_accounts/register")
def register_carrier_account(call):
    call.wrapped("carrier_account")
    raise errors.ApiError(
        400, "BAD_REQUEST",
        "Malformed request. Please check the contents and retry.",
        [{"code": "3001", "message": "Invalid Customer Account Nbr"}])


@route("POST", "/v2/carrier_accounts/register_oauth")
def register_oauth(call):
    params = call.wrapped("carrier_account_oauth_registrations")
    kind = params.get("type")
    if not isinstance(kind, str) or kind not in OWN_ACCOUNTS:
        raise invalid("type", "is not a type of carrier account")
    account = add_account(call, kind, None)
    for name in ("test_credentials",):
        account.pop(name, None)
        account["fields"].pop(name, None)
    return created("carrier_accounts", account)


@route("GET", "/v2/carrier_accounts/*")
def get_carrier_account(call):
    return 200, call.space.get(call.args[0], "ca")


@route("PATCH", "/v2/carrier_accounts/*")
@route("PUT", "/v2/carrier_accounts/*")
def update_carrier_account(call):
    account = call.space.get(call.args[0], "ca")
    params = call.body.get("carrier_account") \
        or call.body.get("carrier_account_oauth_registrations")
    if not isinstance(params, dict):
        raise required("carrier_account")
    for name in ("description", "reference"):
        if name in params:
            account[name] = objects.text_or_null(params, name)
    account["updated_at"] = stamp(call.now)
    return 200, account


@route("DELETE", "/v2/carrier_accounts/*")
def delete_carrier_account(call):
    account = call.space.get(call.args[0], "ca")
    for space in call.store.spaces.values():
        space.drop(account["id"])
    return 200, {}


@route("GET", "/v2/carrier_types")
def carrier_types(_call):
    return 200, [{"object": "CarrierType", "type": kind, "readable": readable,
                  "logo": None, "fields": {"credentials": {}, "test_credentials": {}}}
                 for kind, readable in sorted(OWN_ACCOUNTS.items())]


@route("GET", "/v2/metadata/carriers")
def carrier_metadata(call):
    """A side service: ASCII only, and a newline at the end."""
    wanted = (call.param("carriers") or "").lower()
    wanted = set(filter(None, wanted.split(",")))
    shown = []
    for _kind, carrier, readable, _billing in carriers.ACCOUNTS:
        name = carrier.lower()
        if wanted and name not in wanted:
            continue
        services = [service for service in carriers.DOMESTIC + carriers.INTERNATIONAL
                    if service.carrier == carrier]
        shown.append({
            "human_readable": readable, "name": name,
            "predefined_packages": [
                {"carrier": name, "description": None, "dimensions": [],
                 "human_readable": "Flat rate\u00ae envelope", "max_weight": 1120.0,
                 "name": "FlatRateEnvelope"}],
            "service_levels": [
                {"carrier": name, "description": None, "dimensions": [],
                 "human_readable": f"{service.name}\u00ae", "max_weight": 1120.0,
                 "name": service.name} for service in services]})
    body = json.dumps({"carriers": shown}, separators=(",", ":")).encode() + b"\n"
    return Reply(200, body)


# -- webhooks and events -------------------------------------------------------


def is_header(text, pattern):
    return isinstance(text, str) and re.fullmatch(pattern, text) is not None


def header_list(params):
    headers = params.get("custom_headers") or []
    if not isinstance(headers, list) or not all(
            isinstance(item, dict) and is_header(item.get("name"), r"[!#-'*+.0-9A-Z^-z|~-]+")
            and is_header(item.get("value"), r"[ -~]*") for item in headers):
        raise invalid("custom_headers", "must be names and values")
    return [{"name": item["name"], "value": item["value"]} for item in headers]


@route("POST", "/v2/webhooks")
def create_webhook(call):
    params = call.wrapped("webhook")
    url = params.get("url")
    if not url:
        raise required("url")
    if not isinstance(url, str) or not url.startswith(("http://", "https://")):
        raise invalid("url", "must be a URL")
    hook = objects.webhook(call.ids, call.mode, call.now, url, header_list(params))
    call.space.put(hook, call.now)
    call.space.remember(hook["id"], secret=params.get("webhook_secret"))
    return created("webhooks", hook)


@route("GET", "/v2/webhooks")
def list_webhooks(call):
    return 200, {"webhooks": call.space.all("hook")}


@route("GET", "/v2/webhooks/*")
def get_webhook(call):
    return 200, call.space.get(call.args[0], "hook")


@route("PATCH", "/v2/webhooks/*")
@route("PUT", "/v2/webhooks/*")
def update_webhook(call):
    """Not wrapped, answered with 201, and it switches the webhook on again."""
    hook = call.space.get(call.args[0], "hook")
    if "webhook_secret" in call.body:
        call.space.remember(hook["id"], secret=call.body["webhook_secret"])
    if "custom_headers" in call.body:
        hook["custom_headers"] = header_list(call.body)
    hook["disabled_at"] = None
    return Reply(201, dumps(hook))


@route("DELETE", "/v2/webhooks/*")
def delete_webhook(call):
    hook = call.space.get(call.args[0], "hook")
    call.space.drop(hook["id"])
    return 200, {}


def find_event(call):
    event = call.app.webhooks.by_id.get(call.args[0])
    if event is None or event.mode != call.mode:
        raise errors.not_found()
    return event


@route("GET", "/v2/events", is_list=True)
def list_events(call):
    size = call.space._page_size(call)
    events = [event for event in call.app.webhooks.events if event.mode == call.mode]
    keys = [event.shape["id"] for event in events]
    for name in ("before_id", "after_id"):
        key = call.param(name)
        if key:
            position = call.space._position(keys, key)
            events = events[:position] if name == "before_id" else \
                events[position + 1:]
            keys = [event.shape["id"] for event in events]
    forward = bool(call.param("after_id"))
    page = events[:size] if forward else events[-size:]
    return 200, {"events": [event.summary() for event in reversed(page)],
                 "has_more": len(events) > size}


@route("POST", "/v2/events")
def resend_event(call):
    """Ask for the newest event of an object again."""
    key = call.body.get("result_id")
    if not key:
        raise required("result_id")
    for event in reversed(call.app.webhooks.events):
        if event.object_id == key and event.mode == call.mode:
            call.app.webhooks.deliver({"event_id": event.shape["id"]},
                                      lambda report: None)
            return 201, event.shape
    raise errors.not_found()


@route("GET", "/v2/events/*")
def get_event(call):
    return 200, find_event(call).shape


@route("GET", "/v2/events/*/payloads")
def list_payloads(call):
    return 200, {"payloads": find_event(call).payloads}


@route("GET", "/v2/events/*/payloads/*")
def get_payload(call):
    for payload in find_event(call).payloads:
        if payload["id"] == call.args[1]:
            return 200, payload
    raise errors.ApiError(404, "PAYLOAD.NOT_FOUND", "The payload(s) could not be found.")


# -- billing and partners ------------------------------------------------------


@route("GET", "/v2/payment_methods")
def payment_methods(call):
    methods = list(call.store.payment_methods.values()) + [None, None]
    return 200, {"id": "cust_" + call.store.user_id[5:], "object": "PaymentMethods",
                 "primary_payment_method": methods[0],
                 "secondary_payment_method": methods[1]}


@route("POST", "/v2/credit_cards")
@route("POST", "/beta/credit_cards")
def add_card(call):
    call.wrapped("credit_card")
    card = {"id": call.ids.new("card"), "disabled_at": None, "object": "CreditCard",
            "name": None, "last4": "4242", "exp_month": 5, "exp_year": 2030,
            "brand": "Visa", "requires_mandate_collection": False}
    call.store.payment_methods[card["id"]] = card
    return 201, card


@route("POST", "/v2/bank_accounts")
def add_bank_account(call):
    account = {"bank_name": "STRIPE TEST BANK", "country": "US", "disabled_at": None,
               "id": call.ids.new("bank"), "last4": "6789", "object": "BankAccount",
               "requires_mandate_collection": False, "verified": True}
    call.store.payment_methods[account["id"]] = account
    return 201, account


@route("POST", "/v2/credit_cards/*/charges")
@route("POST", "/v2/bank_accounts/*/charges")
def charge(call):
    if call.args[0] not in call.store.payment_methods:
        raise errors.ApiError(404, "CREDIT_CARD.NOT_FOUND", "Payment method not found.")
    amount = call.body.get("amount")
    if amount in (None, "", "0", 0):
        raise errors.unprocessable("TRANSACTION.AMOUNT_INVALID", "The amount is invalid.")
    objects.money(amount)
    return 201, {}


@route("DELETE", "/v2/credit_cards/*")
@route("DELETE", "/v2/bank_accounts/*")
def remove_payment_method(call):
    if call.store.payment_methods.pop(call.args[0], None) is None:
        raise errors.ApiError(404, "CREDIT_CARD.NOT_FOUND", "Payment method not found.")
    return 200, {}


@route("GET", "/v2/partners/stripe_public_key")
@route("GET", "/beta/partners/stripe_public_key")
def stripe_public_key(_call):
    return 200, {"public_key": "pk_simulated"}


@route("POST", "/v2/customer_portal/account_link")
def account_link(call):
    return 201, {"object": "CustomerPortalAccountLink", "created_at": stamp(call.now),
                 "expires_at": stamp(call.now + 300),
                 "link": "https://app.easypost.com/simulated"}


@route("POST", "/v2/embeddables/session")
def embeddables_session(call):
    return 201, {"object": "EmbeddablesSession", "created_at": stamp(call.now),
                 "expires_at": stamp(call.now + 900),
                 "session_id": call.ids.new("sess")}


@route("GET", "/v2/referral_customers", is_list=True)
def list_referral_customers(call):
    found = [dict(child, children=[]) for child in call.store.children.values()
             if child["parent_id"] is None]
    return 200, {"has_more": False, "referral_customers": found}


@route("POST", "/v2/referral_customers")
def create_referral_customer(call):
    params = call.wrapped("user")
    missing = [name for name in ("name", "email", "phone") if not params.get(name)]
    if missing:
        raise required(*missing)
    child = objects.user(call.ids.new("user"), None, params["name"], stamp(call.now),
                         params["phone"])
    child.update(objects.account_facts(params["email"]))
    call.store.children[child["id"]] = child
    return 201, {**child, "children": [], "api_keys": []}


@route("PUT", "/v2/referral_customers/*")
def update_referral_customer(call):
    user = find_user(call, call.args[0])
    params = call.wrapped("user")
    if not params.get("email"):
        raise required("email")
    user["email"] = params["email"]
    return with_newline(200, {"message": "Referral Customer email updated successfully"})


@route("POST", "/beta/setup_intents")
def setup_intent(_call):
    return 200, {"client_secret": "seti_simulated"}


@route("POST", "/beta/financial_connections_sessions")
def financial_connections_session(_call):
    return 200, {"client_secret": "fcsess_simulated"}


@route("POST", "/beta/referral_customers/payment_method")
def referral_payment_method(call):
    params = call.wrapped("payment_method")
    if not params.get("stripe_customer_id") or not params.get("payment_method_reference"):
        raise errors.unprocessable("BILLING.INVALID_PAYMENT_GATEWAY_REFERENCE",
                                   "Invalid payment gateway reference.")
    return 200, {"id": call.ids.new("card"), "disabled_at": None, "object": "CreditCard",
                 "name": None, "last4": "4242", "exp_month": 5, "exp_year": 2030,
                 "brand": "Visa"}


@route("POST", "/beta/referral_customers/refunds")
def referral_refund(call):
    if call.body.get("payment_log_id"):
        raise errors.unprocessable("TRANSACTION.DOES_NOT_EXIST",
                                   "We could not find a transaction with that id.")
    raise errors.unprocessable("TRANSACTION.AMOUNT_INVALID",
                               "Refund amount is invalid. Please use a valid amount or "
                               "escalate to finance.")
