"""Waybill without a database: a proxy that says that it records nothing.  Keys are
EasyPost's own; what needs a record or a guard is refused, and nothing goes out."""

import os

import pytest

import documents
from env.stack import Stack
from fixtures import simulator
from helpers import Client, assert_error, deliver, setting, unique, wait_until
from test_simple import FROM, PARCEL, TO

DRAFT = {"to_address": TO, "from_address": FROM, "parcel": PARCEL}
LIMIT_S = 20


@pytest.fixture(scope="module")
def bare(tmp_path_factory):
    with Stack(tmp_path_factory.mktemp("bare"), database_url="",
               conf={"WORKERS": "3", "WORKERS_OVERFLOW": "0"}) as one:
        yield one


@pytest.fixture(scope="module")
def easypost(bare):
    """Somebody with EasyPost's key for tests."""
    return Client(bare, setting(bare, "EASYPOST_TEST_API_KEY"))


def not_configured(answer, **more):
    assert_error(answer, 503, "DATABASE.NOT_CONFIGURED", **more)


# --- what works -------------------------------------------------------------------


def test_the_proxy_works_and_says_that_it_records_nothing(bare, easypost):
    answer = easypost.post("/v2/shipments", document={"shipment": DRAFT})
    assert answer.status_code == 201
    assert answer.headers["X-Waybill-Recorded"] == "no"
    path = "/v2/shipments/" + answer.json()["id"]
    answer = easypost.get(path)
    assert answer.status_code == 200
    assert answer.headers["X-Waybill-Recorded"] == "no"
    answer = easypost.post(path + "/buy", document={
        "rate": answer.json()["rates"][0]})
    assert answer.status_code == 200 and answer.json()["tracking_code"]
    assert len(simulator(bare).calls(path + "/buy")) == 1


def test_a_production_key_is_for_production(bare):
    """And is refused where it is no key of ours."""
    client = Client(bare, setting(bare, "EASYPOST_API_KEY"))
    assert client.get("/v2/addresses?page_size=1").status_code == 200
    other = Client(bare, "EZTK" + "0" * 54)
    assert_error(other.get("/v2/addresses"), 401, "AUTHENTICATION.INVALID",
                 easypost=True)


def test_health_is_open_to_those_keys(easypost):
    """There is nothing else to read, and no other key."""
    health = easypost.get("/health").json()["data"]
    assert health["recording"] is False
    assert health["database"] == {"status": "not configured"}
    assert health["background"] is None
    assert health["spool"] == {"depth": 0, "bad": 0}
    assert health["status"] == "ok"
    assert easypost.get("/livez").status_code == 200
    ready = easypost.get("/readyz").json()["data"]
    assert ready == {"ready": True, "recording": False}
    metrics = easypost.get("/metrics").text
    assert "\nwaybill_database_up 0\n" in metrics
    assert "\nwaybill_spool_records 0\n" in metrics


# --- what is refused ----------------------------------------------------------------


@pytest.mark.parametrize("path", [
    "/db/shipments", "/db/shipments?format=csv", "/db/shipments/shp_1",
    "/health/database", "/stats", "/db/analytics/dashboard?format=csv"])
def test_there_is_nothing_to_read(easypost, path):
    not_configured(easypost.get(path), easypost=False)


def test_what_is_answered_without_a_key_is_refused_too(bare, easypost):
    """Webhooks, sessions; and a gateway key is none."""
    nobody = Client(bare)
    sent = documents.event("tracker.updated", documents.tracker())
    answer = deliver(nobody, sent)
    not_configured(answer, easypost=False)
    assert int(answer.headers["Retry-After"]) > 0
    not_configured(nobody.post("/dashboard/session",
                               document={"key": "wb_" + "a" * 43}),
                   easypost=False)
    not_configured(nobody("DELETE", "/dashboard/session"), easypost=False)
    assert nobody.get("/dashboard/session").json()["data"] is None
    not_configured(nobody.get("/dashboard/session", cookies={
        "__Host-waybill": "a" * 44}), easypost=False)
    gateway = Client(bare, "wb_" + "a" * 43)
    not_configured(gateway.get("/v2/addresses"), easypost=True)
    not_configured(gateway.post("/shipments", document=DRAFT), easypost=False)
    not_configured(easypost.post("/shipments/batch-track", document={
        "tracking_codes": ["EZ1000000001"]}), easypost=False)


@pytest.mark.parametrize("method,path", [
    ("POST", "/shipments"), ("POST", "/shipments/buy"), ("POST", "/rates"),
    ("POST", "/bulk-shipments"), ("POST", "/db/shipments"),
    ("DELETE", "/db/shipments/shp_1"), ("GET", "/tracking/EZ1000000001"),
    ("GET", "/shipments")])
def test_easyposts_keys_are_for_easyposts_paths(easypost, method, path):
    options = {"document": DRAFT} if method == "POST" else {}
    answer = easypost(method, path, **options)
    if method == "GET":  # reads are all that such a key has of ours
        assert answer.status_code == 200, answer.text
    else:
        assert_error(answer, 401, "AUTHENTICATION.INVALID", easypost=False)


def test_a_key_that_nothing_would_guard_is_refused(bare, easypost):
    """Idempotency-Key promises what only a database can keep."""
    key = unique("key-")
    before = len(simulator(bare).calls("/v2/parcels"))
    not_configured(easypost.post(
        "/v2/parcels", document={"parcel": {"weight": 10.0}},
        headers={"Idempotency-Key": key}), easypost=True)
    assert len(simulator(bare).calls("/v2/parcels")) == before


def test_while_easypost_is_away_there_is_nothing_old_to_tell(bare, easypost):
    sim = simulator(bare)
    shipment = easypost.post("/v2/shipments",
                             document={"shipment": DRAFT}).json()
    path = "/v2/shipments/" + shipment["id"]
    assert easypost.get(path).status_code == 200
    sim.fault(f"GET {path}", "close_before", times=0)  # also when asked again
    assert_error(easypost.get(path), 502, easypost=True)


def test_nothing_is_written_anywhere(bare, easypost):
    """Neither notes of who did what nor records."""
    easypost.post("/v2/parcels", document={"parcel": {"weight": 10.0}})
    for log in ("read.log", "upstream.log", "webhook.log"):
        wait_until(lambda log=log: b"database=none" in bare.logs()[log],
                   LIMIT_S, log)
    assert os.listdir(bare.spool_dir) == []
    assert not [name for name in os.listdir(bare.run_dir)
                if name.endswith(".activity")]
