"""Webhooks: signed, kept, counted once, in any order."""

import itertools
import json
import unicodedata

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies

import documents
from fixtures import simulator
from helpers import (Client, Database, Footprint, assert_error,
                     changed_settings, compact, deliver, digest, parallel,
                     send, setting, signed, unique, wait_until)

OK = {"status": "success", "message": "Webhook processed"}

FAMILIES = [
    "batch.created", "batch.updated", "claim.approved", "claim.cancelled",
    "claim.rejected", "claim.submitted", "claim.updated",
    "insurance.cancelled", "insurance.purchased", "payment.completed",
    "payment.created", "payment.failed", "refund.successful",
    "report.available", "report.empty", "report.failed", "report.new",
    "scan_form.created", "scan_form.updated", "shipment.invoice.created",
    "shipment.invoice.updated", "shipment.purchased", "tracker.created",
    "tracker.updated",
]


@pytest.fixture
def secret(stack):
    found = setting(stack, "EASYPOST_WEBHOOK_SECRET")
    assert found
    return found


def kept(db, event):
    """The stored rows of an event."""
    db.catch_up()
    return db("select * from webhook_events where easypost_id = %s", event["id"])


def thing(**fields):
    return {"id": documents.new_id("rfnd"), "object": "Refund",
            "created_at": documents.at(), "updated_at": documents.at(),
            "status": "refunded", "tracking_code": None, "carrier": "USPS",
            "shipment_id": None, "confirmation_number": None} | fields


# --- signatures ----------------------------------------------------------------


@pytest.mark.parametrize("header", [
    "X-Hmac-Signature", "x-hmac-signature", "X-HMAC-SIGNATURE",
    "X-Easypost-Hmac-Signature", "x-easypost-hmac-signature"])
@pytest.mark.parametrize("prefix", ["hmac-sha256-hex=", ""])
def test_both_headers_with_and_without_prefix(nobody, db, secret, header,
                                              prefix):
    event = documents.event("refund.successful", thing())
    body = compact(event)
    got = deliver(nobody, event,
                  headers=signed(secret, body, header, prefix))
    assert (got.status_code, got.json()) == (200, OK)
    assert len(kept(db, event)) == 1


def broken_signatures(secret, body):
    good = digest(secret, body)
    flipped = ("0" if good[0] != "0" else "1") + good[1:]
    ended = good[:-1] + ("0" if good[-1] != "0" else "1")
    return {
        "another secret": "hmac-sha256-hex=" + digest("other", body),
        "first digit": "hmac-sha256-hex=" + flipped,
        "last digit": "hmac-sha256-hex=" + ended,
        "too short": "hmac-sha256-hex=" + good[:-1],
        "too long": "hmac-sha256-hex=" + good + "0",
        "only prefix": "hmac-sha256-hex=",
        "wrong prefix": "hmac-sha512-hex=" + good,
        "prefix twice": "hmac-sha256-hex=hmac-sha256-hex=" + good,
        "not hex": "hmac-sha256-hex=" + "g" * 64,
        "other words": "some-signature",
        "spaces inside": "hmac-sha256-hex= " + good[:32] + " " + good[32:],
        "two values": f"hmac-sha256-hex={good},hmac-sha256-hex={good}",
        "the secret itself": secret,
        "zeros": "0" * 64,
        "very long": "a" * 4000,
    }


@pytest.mark.parametrize("how", list(broken_signatures("s", b"b")))
def test_a_bad_signature_is_refused(nobody, db, secret, how):
    event = documents.event("refund.successful", thing())
    signature = broken_signatures(secret, compact(event))[how]
    got = deliver(nobody, event, headers={"X-Hmac-Signature": signature})
    assert_error(got, 401, "SIGNATURE.INVALID", easypost=False)
    assert kept(db, event) == []


@pytest.mark.parametrize("change", [
    lambda body: body + b"\n", lambda body: b" " + body,
    lambda body: body.replace(b"136.0", b"136"),
    lambda body: body.replace(b"Refund", b"refund"),
    lambda body: json.dumps(json.loads(body)).encode(),
    lambda body: body[:-1], lambda body: b"",
], ids=["newline", "space", "float", "letter", "re-serialised", "cut",
        "empty"])
def test_a_tampered_body_is_refused(nobody, db, secret, change):
    event = documents.event("refund.successful", thing(weight=136.0))
    body = compact(event)
    got = nobody.post("/webhooks/easypost", data=change(body),
                      headers=signed(secret, body))
    assert_error(got, 401, "SIGNATURE.INVALID", easypost=False)
    assert kept(db, event) == []


def test_without_a_signature_it_is_refused(nobody, db):
    event = documents.event("refund.successful", thing())
    for headers in ({}, {"X-Hmac-Signature": ""},
                    {"X-Hmac-Signature-V2": "hmac-sha256-hex=" + "0" * 64}):
        got = deliver(nobody, event, headers=headers)
        assert_error(got, 401, ("SIGNATURE.MISSING", "SIGNATURE.INVALID"),
                     easypost=False)
    assert kept(db, event) == []


def test_a_key_does_not_replace_the_signature(client, db):
    event = documents.event("refund.successful", thing())
    got = deliver(client, event, headers={})
    assert_error(got, 401, "SIGNATURE.MISSING", easypost=False)
    assert kept(db, event) == []


@pytest.mark.parametrize("header", ["X-Hmac-Signature",
                                    "X-Easypost-Hmac-Signature"])
def test_the_signature_twice_is_refused(stack, db, secret, header):
    event = documents.event("refund.successful", thing())
    body = compact(event)
    for second in (digest(secret, body), "0" * 64):
        got = send(stack, "POST", "/webhooks/easypost", [
            (header, digest(secret, body)), (header, second)], body)
        assert got.status_code in (400, 401), got
        assert_error(got, easypost=False)
    assert kept(db, event) == []


@pytest.mark.parametrize("configured", ["NFC", "NFD"])
@pytest.mark.parametrize("secret", ["s\u00e9cret", "\u00e5\u212b\u1e69 \ufb01",
                                    "\u30ac\u30d1\ud55c\uae00", "\u2460\u00bd"])
def test_secrets_are_normalised(odd_stack, configured, secret):
    """EasyPost's clients sign with the NFKD form, whatever was typed in."""
    typed = unicodedata.normalize(configured, secret)
    with changed_settings(odd_stack, ["webhook"],
                          {"EASYPOST_WEBHOOK_SECRET": typed}):
        nobody = Client(odd_stack)
        event = documents.event("refund.successful", thing())
        body = compact(event)
        got = deliver(nobody, event, headers=signed(secret, body))
        assert (got.status_code, got.json()) == (200, OK)
        form = unicodedata.normalize("NFC", secret)
        if form != unicodedata.normalize("NFKD", secret):
            raw = digest(form, body, normalise=False)
            got = deliver(nobody, event, headers={"X-Hmac-Signature": raw})
            assert_error(got, 401, "SIGNATURE.INVALID", easypost=False)


def test_two_secrets_are_valid_during_a_rotation(odd_stack):
    with changed_settings(odd_stack, ["webhook"], {
            "EASYPOST_WEBHOOK_SECRET": "the new one",
            "EASYPOST_WEBHOOK_SECRET_PREVIOUS": "the old one"}):
        nobody = Client(odd_stack)
        for secret, status in (("the new one", 200), ("the old one", 200),
                               ("another", 401), ("", 401)):
            event = documents.event("refund.successful", thing())
            got = deliver(nobody, event,
                          headers=signed(secret, compact(event)))
            assert got.status_code == status, secret
    with changed_settings(odd_stack, ["webhook"], {
            "EASYPOST_WEBHOOK_SECRET": "the new one",
            "EASYPOST_WEBHOOK_SECRET_PREVIOUS": None}):
        event = documents.event("refund.successful", thing())
        got = deliver(Client(odd_stack), event, secret="the old one")
        assert_error(got, 401, "SIGNATURE.INVALID", easypost=False)


def test_without_a_secret_nothing_is_taken(odd_stack):
    with changed_settings(odd_stack, ["webhook"], {
            "EASYPOST_WEBHOOK_SECRET": None,
            "EASYPOST_WEBHOOK_SECRET_PREVIOUS": None}):
        nobody = Client(odd_stack)
        event = documents.event("refund.successful", thing())
        for headers in (signed("", compact(event)), {},
                        signed("x", compact(event))):
            got = deliver(nobody, event, headers=headers)
            assert_error(got, 503, "WEBHOOK.NOT_CONFIGURED", easypost=False)


def test_unsigned_only_when_switched_on(odd_stack):
    with changed_settings(odd_stack, ["webhook"], {
            "EASYPOST_WEBHOOK_SECRET": None,
            "EASYPOST_WEBHOOK_SECRET_PREVIOUS": None,
            "EASYPOST_WEBHOOK_ALLOW_UNSIGNED": "true"}):
        event = documents.event("refund.successful", thing())
        got = deliver(Client(odd_stack), event, headers={})
        assert (got.status_code, got.json()) == (200, OK)


# --- what is an event ------------------------------------------------------------


@pytest.mark.parametrize("body", [
    b"", b" ", b"null", b"1", b'"x"', b"[]", b"{}", b"not json", b"{",
    b'{"id":null}', b'{"id":1}', b'{"id":""}', b'{"id":"evt"}',
    b'{"id":"shp_1"}', b'{"id":["evt_1"]}', b'{"object":"Event"}',
    b'[{"id":"evt_1"}]', b'{"result":{"id":"evt_1"}}',
], ids=repr)
def test_what_is_not_an_event_is_refused(nobody, secret, body):
    got = nobody.post("/webhooks/easypost", data=body,
                      headers=signed(secret, body))
    assert_error(got, 400, ("EVENT.INVALID", "BODY.INCOMPLETE"),
                 easypost=False)


def test_too_large(nobody, secret):
    body = compact(documents.event("tracker.updated", {
        "padding": "x" * (20 * 1024 * 1024)}))
    got = nobody.post("/webhooks/easypost", data=body,
                      headers=signed(secret, body))
    assert_error(got, 413, easypost=False)


def test_a_large_event_is_taken(nobody, db):
    """A batch of thousands is large and yet an event."""
    event = documents.event("batch.updated", documents.batch(
        [documents.new_id("shp") for _ in range(5000)]))
    got = deliver(nobody, event)
    assert got.status_code == 200, got.text
    assert len(kept(db, event)) == 1


@pytest.mark.parametrize("method", ["GET", "PUT", "PATCH", "DELETE"])
def test_other_verbs(nobody, method):
    got = nobody(method, "/webhooks/easypost")
    assert_error(got, 405, "METHOD.NOT_ALLOWED", easypost=False)
    assert got.headers["Allow"] == "POST"


POISON = {
    "escaped zero": b'{"id":"%s","description":"a\\u0000b","result":{}}',
    "raw zero": b'{"id":"%s","description":"a\x00b","result":{}}',
    "not UTF-8": b'{"id":"%s","description":"\xff\xfe","result":{}}',
    "surrogate": b'{"id":"%s","description":"\\ud800","result":{}}',
    "huge number": b'{"id":"%s","result":{"weight":1e200000}}',
    "deep": b'{"id":"%s","result":' + b"[" * 90000 + b"]" * 90000 + b"}",
    "double keys": b'{"id":"%s","id":"evt_second","result":{}}',
    "a megabyte": b'{"id":"%s","result":"' + b"x" * 1_000_000 + b'"}',
    "cut": b'{"id":"%s","result":{',
    "trailing garbage": b'{"id":"%s","result":{}} x',
    "byte order mark": b'\xef\xbb\xbf{"id":"%s","result":{}}',
    "NaN": b'{"id":"%s","result":{"weight":NaN}}',
    "result of a wrong type": b'{"id":"%s","description":"tracker.updated",'
                              b'"result":"trk_1"}',
    "no result": b'{"id":"%s","description":"tracker.updated"}',
    "null result": b'{"id":"%s","description":"batch.updated",'
                   b'"result":null}',
    "tracker without a code": b'{"id":"%s","description":"tracker.updated",'
                              b'"result":{"id":"trk_x","object":"Tracker"}}',
    "tracker with strange details":
        b'{"id":"%s","description":"tracker.updated","result":{"id":"trk_%s",'
        b'"object":"Tracker","tracking_code":"1","status":5,"created_at":"x",'
        b'"tracking_details":[1,null,{"datetime":"never"},{"datetime":{}}]}}',
    "dates that do not exist":
        b'{"id":"%s","description":"tracker.updated","created_at":'
        b'"2026-02-30T25:61:61Z","result":{"id":"trk_%s","object":"Tracker",'
        b'"tracking_code":"1","created_at":"2026-02-30T00:00:00Z",'
        b'"updated_at":"0000-00-00T00:00:00Z","tracking_details":'
        b'[{"status":"in_transit","message":"m",'
        b'"datetime":"2026-02-30T00:00:00Z"}]}}',
    "numbers out of range":
        b'{"id":"%s","description":"batch.updated","result":{"id":"batch_%s",'
        b'"object":"Batch","num_shipments":99999999999999999999,'
        b'"status":{"created":1e400}}}',
    "a very long description": b'{"id":"%s","description":"'
                               + b"d" * 100_000 + b'","result":{}}',
    "an id with quotes": b'{"id":"%s\';drop table shipments;--","result":{}}',
    "a very long id": b'{"id":"%s' + b"f" * 100_000 + b'","result":{}}',
}


@pytest.mark.parametrize("name", list(POISON))
def test_poison_is_kept_or_refused_and_the_next_event_works(
        nobody, db, secret, name):
    own = unique("evt_")
    body = POISON[name].replace(b"%s", own.encode())
    got = nobody.post("/webhooks/easypost", data=body,
                      headers=signed(secret, body))
    if got.status_code == 200:
        assert len(db("select 1 from webhook_events where raw = %s "
                      "or payload::text = %s", body,
                      body.decode("utf-8", "replace").replace("\0", "?"))) == 1
    else:
        assert_error(got, (400, 413), easypost=False)
    after = documents.event("refund.successful", thing())
    assert deliver(nobody, after).status_code == 200
    assert len(kept(db, after)) == 1


KEPT = ["escaped zero", "surrogate", "huge number",
        "result of a wrong type", "no result", "null result",
        "tracker without a code", "tracker with strange details",
        "dates that do not exist", "numbers out of range",
        "a very long description"]


@pytest.mark.parametrize("name", KEPT)
def test_signed_json_with_unexpected_content_is_kept(nobody, db, secret,
                                                     name):
    """Valid JSON with an event's id and a valid signature: 2xx, always."""
    own = unique("evt_")
    body = POISON[name].replace(b"%s", own.encode())
    got = nobody.post("/webhooks/easypost", data=body,
                      headers=signed(secret, body))
    assert (got.status_code, got.json()) == (200, OK)
    assert len(kept(db, {"id": own})) == 1


# --- families ---------------------------------------------------------------------


def result_of(family):
    start = family.split(".")[0]
    if start == "tracker":
        return documents.tracker([documents.detail(5, "in_transit", "Moved")])
    if start == "batch":
        return documents.batch(state="purchased")
    if start == "insurance":
        return documents.insurance(documents.tracker())
    if family == "shipment.purchased":
        return documents.shipment(bought=True)
    if start == "refund":
        return thing()
    if start == "shipment":
        return documents.invoice(documents.new_id("shp"), None)
    prefix = {"claim": "clm", "report": "shprep", "scan_form": "sf",
              "payment": "pay"}[start]
    return {"id": documents.new_id(prefix), "object": start.title(),
            "mode": "test", "status": "x", "created_at": documents.at(),
            "updated_at": documents.at()}


@pytest.mark.parametrize("family", FAMILIES)
def test_every_documented_family_is_kept(nobody, db, family):
    event = documents.event(family, result_of(family))
    got = deliver(nobody, event)
    assert (got.status_code, got.json()) == (200, OK)
    rows = db("select * from webhook_events where easypost_id = %s",
              event["id"])
    assert len(rows) == 1
    assert family in [str(value) for value in rows[0]]
    table, key = {
        "Tracker": ("trackers", "easypost_id"),
        "Batch": ("batch_operations", "batch_id"),
        "Refund": ("refunds", "easypost_id"),
        "Shipment": ("shipments", "easypost_id"),
        "ShipmentInvoice": ("shipment_invoices", "easypost_id"),
    }.get(event["result"]["object"], (None, None))
    if table:
        assert db(f"select 1 from {table} where {key} = %s",
                  event["result"]["id"]) == [(1,)], table


@pytest.mark.parametrize("family", ["wombat.born", "", "tracker", "x" * 300,
                                    "tracker.updated.twice", "\u2603"])
def test_unknown_families_are_kept(nobody, db, family):
    event = documents.event(family, {"id": documents.new_id("wom")})
    got = deliver(nobody, event)
    assert (got.status_code, got.json()) == (200, OK)
    assert len(kept(db, event)) == 1


def test_an_event_without_a_description_is_kept(nobody, db):
    event = documents.event("x", thing())
    event.pop("description")
    assert deliver(nobody, event).status_code == 200
    assert len(kept(db, event)) == 1


def test_the_raw_bytes_are_kept(nobody, db, secret):
    body = (b'{ "id" : "%s",\n "description":"wombat.born", "weight": 136.0 }'
            % unique("evt_").encode())
    got = nobody.post("/webhooks/easypost", data=body,
                      headers=signed(secret, body))
    assert got.status_code == 200
    own = json.loads(body)["id"]
    assert raw_of(db, own) == [body]


def raw_of(db, event_id):
    """The bytes of an event as they came."""
    return [bytes(raw) if raw is not None else text.encode()
            for raw, text in db("select raw, payload::text from "
                                "webhook_events where easypost_id = %s",
                                event_id)]


def test_batch_events_carry_the_state(nobody, db):
    first = documents.batch(state="purchasing")
    last = dict(first, state="label_generated", label_url="https://x/y.pdf",
                updated_at=documents.at(9))
    for result in (last, first):
        event = documents.event("batch.updated", result)
        assert deliver(nobody, event).status_code == 200
    assert db.one("select status, label_url from batch_operations where "
                  "batch_id = %s", first["id"]) == ("label_generated",
                                                    "https://x/y.pdf")


def test_a_refund_event_reaches_its_shipment(nobody, client, sim, db):
    document = documents.shipment(bought=True, refund_status="submitted")
    store(client, sim, document)
    event = documents.event("refund.successful", thing(
        shipment_id=document["id"], tracking_code=document["tracking_code"],
        updated_at=documents.at(50)))
    assert deliver(nobody, event).status_code == 200
    row = db.row("refunds", event["result"]["id"])
    assert row["status"] == "refunded"


def store(client, sim, document):
    """Lets a document pass the gateway; it is recorded with the answer."""
    path = "/v2/" + unique("store_")
    sim.canned("POST", path, document)
    assert client.post(path).status_code == 200


# --- once --------------------------------------------------------------------------


def test_twenty_deliveries_at_once_count_once(stack, db):
    own = documents.tracker([documents.detail(1, "pre_transit", "Label"),
                             documents.detail(2, "in_transit", "Moved")])
    event = documents.event("tracker.updated", own)
    got = parallel(20, lambda _: deliver(Client(stack), event))
    assert [(one.status_code, one.json()) for one in got] == [(200, OK)] * 20
    assert len(kept(db, event)) == 1
    assert history(db, own) == [("pre_transit", "Label"),
                                ("in_transit", "Moved")]


def test_twenty_events_of_one_tracker_at_once(stack, db):
    """Each carries the whole history so far; nothing is lost in the rush."""
    own = documents.tracker(shipment_id=None)
    steps = [documents.detail(minute, "in_transit", f"Stop {minute}")
             for minute in range(20)]
    events = [documents.event("tracker.updated", dict(
        own, status="in_transit", updated_at=documents.at(number),
        tracking_details=steps[:number + 1])) for number in range(20)]
    got = parallel(20, lambda number: deliver(Client(stack), events[number]))
    assert {one.status_code for one in got} == {200}
    assert history(db, own) == [("in_transit", f"Stop {minute}")
                                for minute in range(20)]
    stored = db.row("trackers", own["id"])
    assert (stored["updated_at"].strftime("%Y-%m-%dT%H:%M:%SZ")
            == documents.at(19))


def test_an_id_that_comes_back_with_other_content_counts_once(nobody, db):
    first = documents.event("batch.updated", documents.batch(state="created"))
    second = dict(first, result=dict(first["result"], state="purchased",
                                     updated_at=documents.at(5)))
    assert deliver(nobody, first).status_code == 200
    assert deliver(nobody, second).status_code == 200
    assert len(kept(db, first)) == 1


def history(db, tracker):
    return db("select e.status, e.message from shipment_events e "
              "join trackers t on t.id = e.tracker_id "
              "where t.easypost_id = %s "
              "order by e.event_datetime, e.message", tracker["id"])


# --- any order -----------------------------------------------------------------------

# How and when something came, not what is known.
BOOKKEEPING = [
    "webhook_events", "webhook_event_ids", "audit_log", "user_activities",
    "*.recorded_at", "*.received_at", "*.request_id",
    "shipment_events.created_at", "shipment_metrics.created_at",
    "shipment_metrics.id"]


def tracker_story():
    """Four steps of a parcel, with ties on every clock there is."""
    steps = [
        documents.detail(10, "pre_transit", "Label made"),
        documents.detail(20, "in_transit", "Arrived", source="USPS"),
        documents.detail(20, "in_transit", "Departed", source="USPS"),
        documents.detail(30, "out_for_delivery", "Out"),
        documents.detail(30, "delivered", "Front door"),
    ]
    own = documents.tracker(created_at=documents.at(5))
    versions = [
        dict(own, status="pre_transit", updated_at=documents.at(11),
             tracking_details=steps[:1]),
        dict(own, status="in_transit", updated_at=documents.at(21),
             tracking_details=steps[:2]),
        dict(own, status="in_transit", updated_at=documents.at(21),
             tracking_details=steps[:3]),
        dict(own, status="delivered", updated_at=documents.at(31),
             tracking_details=steps, signed_by="J. DOE"),
    ]
    return own, versions


@pytest.fixture(scope="module")
def story():
    """The same parcel for all permutations, with and without shipment."""
    own, versions = tracker_story()
    document = documents.shipment(bought=True)
    document["tracker"] = dict(own, shipment_id=document["id"])
    document["tracking_code"] = own["tracking_code"]
    versions = [dict(one, shipment_id=document["id"]) for one in versions]
    events = [documents.event("tracker.updated", one, minute)
              for minute, one in enumerate(versions)]
    return document, events


class Teller:
    """Tells a story in some order and looks at the tables it leaves."""

    def __init__(self, nobody, client, sim, db, story):
        self.nobody = nobody
        self.client = client
        self.document, self.events = story
        self.path = "/v2/" + unique("story_")
        sim.canned("POST", self.path, self.document)
        marks = [self.document["id"], self.document["tracker"]["id"]]
        marks += [one["id"] for one in self.events + self.document["rates"]]
        marks += [self.document[part]["id"] for part in
                  ("from_address", "to_address", "parcel")]
        self.look = Footprint(db, marks, BOOKKEEPING)

    def __call__(self, order):
        """The rows that remain; 's' is the shipment, numbers are events."""
        self.look.forget()
        for step in order:
            got = self.step(step)
            assert got.status_code == 200, (step, got.text)
        return self.look.rows()

    def step(self, step):
        if step == "s":
            return self.client.post(self.path)
        return deliver(self.nobody, self.events[step])


@pytest.fixture(scope="module")
def tell(odd_stack, story):
    """In a database where little else is: the tables are read very often."""
    db = Database(odd_stack.database_url)
    yield Teller(Client(odd_stack), Client(odd_stack, odd_stack.key),
                 simulator(odd_stack), db, story)
    db.close()


def test_every_permutation_ends_in_equal_tables(tell):
    expected = tell([0, 1, 2, 3])
    assert len(expected["shipment_events"]) == 5
    assert len(expected["trackers"]) == 1
    assert json.loads(expected["trackers"][0])["status"] == "delivered"
    for order in itertools.permutations(range(4)):
        assert tell(order) == expected, order


def test_every_permutation_with_the_shipment_among_them(tell):
    """Tracker before shipment, in between, and after."""
    expected = tell(["s", 0, 1, 2, 3])
    row = json.loads(expected["shipments"][0])
    assert (row["status"], row["signed_by"]) == ("delivered", "J. DOE")
    assert [one["message"] for one in row["tracking_details"]][0] \
        == "Label made"
    assert len(row["tracking_details"]) == 5
    for order in itertools.permutations(["s", 0, 1, 2, 3]):
        assert tell(order) == expected, order


@settings(max_examples=30, deadline=None, derandomize=True, database=None,
          suppress_health_check=list(HealthCheck))
@given(repeats=strategies.lists(strategies.sampled_from(["s", 0, 1, 2, 3]),
                                max_size=7),
       order=strategies.permutations(["s", 0, 1, 2, 3]))
def test_repeats_in_any_order_end_in_equal_tables(tell, repeats, order):
    expected = tell(["s", 0, 1, 2, 3])
    assert tell(list(order) + repeats) == expected
    assert tell(repeats + list(order)) == expected


def test_all_at_once_ends_in_equal_tables(tell):
    """Everything twice, in parallel: no order at all."""
    expected = tell(["s", 0, 1, 2, 3])
    steps = ["s", 0, 1, 2, 3] * 2
    for _ in range(8):
        tell.look.forget()
        got = parallel(len(steps), lambda number: tell.step(steps[number]))
        assert [one.status_code for one in got] == [200] * len(steps)
        assert tell.look.rows() == expected


def test_details_with_equal_times_are_a_set(nobody, db):
    """Two stops in one second are two; the same stop twice is one."""
    same = documents.detail(1, "in_transit", "Sorted")
    other = documents.detail(1, "in_transit", "Sorted", tracking_location={
        "object": "TrackingLocation", "city": "AUSTIN", "state": "TX",
        "country": None, "zip": "73301"})
    own = documents.tracker([same, same, other])
    for _ in range(2):
        event = documents.event("tracker.updated", own)
        assert deliver(nobody, event).status_code == 200
    assert len(history(db, own)) == 2


def test_a_history_that_shrinks_loses_nothing(nobody, db):
    """A newer document that left a step out does not erase it."""
    steps = [documents.detail(minute, "in_transit", f"Stop {minute}")
             for minute in range(3)]
    own = documents.tracker(steps)
    less = dict(own, tracking_details=steps[2:], updated_at=documents.at(9))
    for one in (own, less):
        event = documents.event("tracker.updated", one)
        assert deliver(nobody, event).status_code == 200
    assert len(history(db, own)) == 3


@pytest.mark.parametrize("year", [1970, 2010, 2014, 2024, 2031, 9999])
def test_trackers_of_any_age(nobody, db, year):
    """Whatever the month, there is a place for its steps."""
    moment = f"{year}-03-01T00:00:00Z"
    own = documents.tracker([documents.detail(
        1, "in_transit", "Moved", datetime=moment)],
        created_at=moment, updated_at=moment)
    event = documents.event("tracker.updated", own, created_at=moment)
    assert deliver(nobody, event).status_code == 200
    assert history(db, own) == [("in_transit", "Moved")]
    assert len(kept(db, event)) == 1


def test_an_event_in_chunks(nobody, db, secret):
    event = documents.event("batch.updated", documents.batch())
    body = compact(event)
    got = nobody.post("/webhooks/easypost", data=iter([body[:9], body[9:]]),
                      headers=signed(secret, body))
    assert (got.status_code, got.json()) == (200, OK)
    assert len(kept(db, event)) == 1


def test_a_tracker_is_linked_when_its_shipment_arrives(nobody, client, sim,
                                                       db):
    """The event knows only carrier and tracking code."""
    document = documents.shipment(bought=True)
    own = dict(document["tracker"], shipment_id=None, status="delivered",
               updated_at=documents.at(60), tracking_details=[
                   documents.detail(50, "delivered", "Front door")])
    event = documents.event("tracker.updated", own)
    assert deliver(nobody, event).status_code == 200
    store(client, sim, document)
    row = db.row("shipments", document["id"])
    assert row["status"] == "delivered"
    linked = db.one("select count(*) from shipment_events "
                    "where shipment_id = %s", row["id"])
    assert linked == 1


def test_a_tracker_of_a_known_shipment_without_its_id(nobody, client, sim,
                                                      db):
    document = documents.shipment(bought=True)
    store(client, sim, document)
    own = dict(document["tracker"], shipment_id=None, status="in_transit",
               updated_at=documents.at(60), tracking_details=[
                   documents.detail(50, "in_transit", "Moved")])
    event = documents.event("tracker.updated", own)
    assert deliver(nobody, event).status_code == 200
    assert db.row("shipments", document["id"])["status"] == "in_transit"


def test_a_result_that_is_a_shipment_itself(nobody, db):
    """Own emitters send shipment.purchased with the whole shipment."""
    document = documents.shipment(bought=True)
    event = documents.event("shipment.purchased", document)
    assert deliver(nobody, event).status_code == 200
    row = db.row("shipments", document["id"])
    assert row["tracking_code"] == document["tracking_code"]


# --- the simulator's own deliveries ---------------------------------------------------


def test_deliveries_of_the_simulator(client, sim, db):
    """The life of a parcel as EasyPost would tell it, twice, shuffled."""
    created = client.post("/v2/shipments", document={"shipment": {
        "from_address": HERE, "to_address": THERE,
        "parcel": {"weight": 15.4, "length": 10, "width": 8, "height": 4},
    }}).json()
    bought = client.post(f"/v2/shipments/{created['id']}/buy",
                         document={"rate": created["rates"][0]}).json()
    own = bought["tracker"]["id"]
    for _ in range(3):
        sim.advance(own)
    new = [one for one in sim.events() if one["object_id"] == own]
    assert len(new) >= 3
    sim.deliver(object_id=own, times=2, order="shuffle", seed=7)
    final = sim.state(own)
    wait_until(lambda: (db.row("trackers", own) or {}).get("status")
               == final["status"], 10, "the tracker's last status")
    for one in new:
        wait_until(lambda event=one: len(kept(db, event)) == 1, 10)
    assert len(history(db, final)) == len(final["tracking_details"])
    row = db.row("shipments", created["id"])
    assert row["status"] == final["status"]
    assert len(row["tracking_details"]) == len(final["tracking_details"])


HERE = {"name": "Jack Sparrow", "street1": "388 Townsend St",
        "city": "San Francisco", "state": "CA", "zip": "94107",
        "country": "US"}
THERE = {"name": "Elizabeth Swan", "street1": "179 N Harbor Dr",
         "city": "Redondo Beach", "state": "CA", "zip": "90277",
         "country": "US"}
