"""While EasyPost is down: reads of what is known are answered, and marked;
writes fail at once."""

import datetime
import socket

import pytest

import documents
from fixtures import simulator
from helpers import (Client, assert_error, changed_settings, compact,
                     deliver_recorded, parallel, unique, wait_until)
from test_simple import FROM, PARCEL, TO

DOWN = ["reset_before", "close_before", "truncate", "status"]


@pytest.fixture(autouse=True)
def calm(sim):
    yield
    sim.session.delete(sim.base + "/_sim/fault", timeout=10)


@pytest.fixture(scope="module")
def known(stack):
    """A shipment and an address that have passed: path and bytes."""
    client = Client(stack, stack.key)
    made = client.post("/v2/shipments", document={"shipment": {
        "to_address": TO, "from_address": FROM, "parcel": PARCEL,
        "reference": unique("\u00fcml\u00e4ut \\u0041 ")}})
    address = client.post("/v2/addresses", document={"address": TO})
    found = {}
    for kind, answer in (("shipments", made), ("addresses", address)):
        path = f"/v2/{kind}/{answer.json()['id']}"
        found[path] = client.get(path).content
    return found


def ask_down(client, sim, path, kind):
    sim.fault(f"GET {path}", kind, status=503, times=0)
    return client.get(path)


@pytest.mark.parametrize("kind", DOWN)
def test_what_is_known_is_the_answer(client, sim, known, kind):
    for path, content in known.items():
        # A read is recorded behind its answer.
        got = wait_until(lambda path=path, content=content: next(
            (one for one in [ask_down(client, sim, path, kind)]
             if one.content == content), None), 10, path)
        assert got.status_code == 200
        assert got.headers["Content-Type"] == "application/json; charset=utf-8"
        assert got.headers["X-Waybill-Source"] == "database"
        as_of = datetime.datetime.fromisoformat(
            got.headers["X-Waybill-As-Of"].replace("Z", "+00:00"))
        age = datetime.datetime.now(datetime.timezone.utc) - as_of
        assert abs(age.total_seconds() - int(got.headers["Age"])) < 3


def test_while_it_answers_nothing_is_marked(client, known):
    for path, content in known.items():
        got = client.get(path)
        assert got.content == content
        assert "X-Waybill-Source" not in got.headers
        assert "Age" not in got.headers


def test_the_newest_that_is_known(client, sim, nobody):
    """In whatever order, and be it from an event."""
    first = documents.tracker([documents.detail(1, "in_transit", "Moved")],
                              updated_at=documents.at(1))
    newest = dict(first, status="delivered", updated_at=documents.at(9))
    middle = dict(first, status="out_for_delivery", updated_at=documents.at(5))
    path = "/v2/trackers/" + first["id"]
    for one in (first, newest, middle):
        deliver_recorded(nobody, documents.event("tracker.updated", one))
    got = ask_down(client, sim, path, "close_before")
    assert got.json() == newest
    assert got.content == compact(newest)
    later = dict(first, status="return_to_sender", updated_at=documents.at(10))
    store = "/v2/" + unique("stale_")
    sim.canned("POST", store, later)
    assert client.post(store).status_code == 200
    assert client.get(path).content == compact(later)


def test_what_is_not_known_fails(client, sim):
    for path in ("/v2/shipments/shp_" + unique(),
                 "/v2/trackers/trk_" + unique(),
                 "/v2/parcels/prcl_" + unique()):
        assert_error(ask_down(client, sim, path, "close_before"), 502,
                     "UPSTREAM.IN_DOUBT", easypost=True)



def test_other_reads_of_a_known_thing_fail(client, sim, known):
    path = next(iter(known))
    for target in (path + "?x=1", path + "/smartrate", path + "/"):
        sim.fault(f"GET {target.partition('?')[0]}*", "close_before", times=0)
        assert_error(client.get(target), 502, easypost=True)


def test_a_refusal_is_no_outage(client, sim, known):
    path = next(iter(known))
    for status in (404, 422, 429):
        sim.fault(f"GET {path}", "status", status=status)
        got = client.get(path)
        assert got.status_code == status
        assert "X-Waybill-Source" not in got.headers


def test_the_other_mode_sees_nothing(stack, sim, known):
    path = next(iter(known))
    own = Client(stack, stack.key_production)
    assert_error(ask_down(own, sim, path, "close_before"), 502, easypost=True)


def test_it_can_be_switched_off(odd_stack):
    sim = simulator(odd_stack)
    client = Client(odd_stack, odd_stack.key)
    made = client.post("/v2/addresses", document={"address": TO}).json()
    path = "/v2/addresses/" + made["id"]
    assert ask_down(client, sim, path, "close_before").status_code == 200
    with changed_settings(odd_stack, ["upstream"], {"STALE_READS": "false"}):
        assert_error(client.get(path), 502, easypost=True)


# --- EasyPost does not answer at all -----------------------------------------------------


def test_what_is_known_to_be_down_keeps_nobody_waiting(make_stack):
    """A host that takes no connections: three wait, the others are told at once;
    when it is back, one finds out for all."""
    own = make_stack(conf={"WORKERS": "20", "WORKERS_OVERFLOW": "0"})
    client, sim = Client(own, own.key), simulator(own)
    made = client.post("/v2/addresses", document={"address": TO}).json()
    place = own.log_sizes()

    def has_said(word):
        return f">upstream.{word} " in own.logs(place)["upstream.log"].decode()

    with socket.socket() as deaf:
        deaf.bind(("127.0.0.1", 0))
        deaf.listen(0)
        full = [socket.socket() for _ in range(4)]
        for one in full:  # nobody accepts: the queue is full
            one.setblocking(False)
            one.connect_ex(deaf.getsockname())
        with changed_settings(own, ["upstream"], {
                "EASYPOST_API_BASE":
                f"http://127.0.0.1:{deaf.getsockname()[1]}"}):
            answers = parallel(3, lambda _: Client(own, own.key).post(
                "/v2/shipments", document={}))
            for answer in answers:
                assert_error(answer, 502, "UPSTREAM.UNREACHABLE",
                             easypost=True)
            assert has_said("down")
            # One of them may look; it alone calls.
            answers = parallel(8, lambda _: Client(own, own.key).post(
                "/v2/shipments", document={}))
            waited = []
            for answer in answers:
                assert_error(answer, 502, "UPSTREAM.UNREACHABLE",
                             easypost=True)
                ids = answer.headers["X-Request-Id"].encode()
                line = wait_until(lambda ids=ids: next(
                    (line for line in own.logs()["upstream.log"].splitlines()
                     if ids in line and b">request " in line), None), 10)
                if b" upstream_ms=0.000" not in line:
                    waited.append(line)
            assert len(waited) <= 1, waited
            got = client.get("/v2/addresses/" + made["id"])
            assert got.json() == made
            assert got.headers["X-Waybill-Source"] == "database"
        for one in full:
            one.close()
    wait_until(lambda: client.get("/v2/addresses/" + made["id"]).headers.get(
        "X-Waybill-Source") is None, 15, "EasyPost")
    assert has_said("back")
    assert client.post("/v2/addresses",
                       document={"address": TO}).status_code == 201
    assert len(sim.calls("/v2/shipments")) == 0
