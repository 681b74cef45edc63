"""A wall clock that jumps by a day, forwards and back: nobody ends, nothing expires
or waits for it, nothing is lost or doubled."""

import os
import threading

import pytest

import documents
from env import stack as environment
from env.stack import Stack
from failing import Failing
from fixtures import simulator
from helpers import Client, Database, all_workers, deliver, wait_until
from test_processes import spooled
from test_simple import FROM, PARCEL, TO, buy_calls, cheapest, keyed

DAY_S = 86400


@pytest.fixture(scope="module")
def clock(tmp_path_factory):
    one = Failing(tmp_path_factory.mktemp("clock"), environment.default_build)
    yield one.move_clock


@pytest.fixture(scope="module")
def own(tmp_path_factory, clock):
    with Stack(tmp_path_factory.mktemp("jumps"),
               environment=clock.__self__.environment,
               conf={"WORKERS": "3", "WORKERS_OVERFLOW": "0"}) as one:
        one.sim_control = simulator(one)
        yield one


@pytest.fixture(autouse=True)
def nobody_ends(own, clock):
    """Whatever the clock does."""
    before = all_workers(own)
    yield
    clock(0)
    assert Client(own, own.key).get("/readyz").status_code == 200
    assert all_workers(own) == before


def during(call, jumps):
    """What a call gave that was under way while the clock jumped."""
    answers = []
    thread = threading.Thread(target=lambda: answers.append(call()))
    thread.start()
    for jump in jumps:
        jump()
    thread.join()
    return answers[0]


def test_events_spooled_around_jumps(own, clock):
    """Their files are named by the clock; none of them is passed over."""
    client, named, sent = Client(own), [], []
    own.service.stop("jobs")
    own.postgres.crash()
    try:
        for ahead in (0, DAY_S, 0, -DAY_S):
            clock(ahead)
            sent.append(documents.event("tracker.updated",
                                        documents.tracker()))
            assert deliver(client, sent[-1]).status_code == 200
            new = set(spooled(own)) - {path for path, _ in named}
            named += [(path, ahead) for path in new]
    finally:
        own.postgres.start()
    starts = [int(os.path.basename(path)[:10]) for path, _ in named]
    assert max(starts) - min(starts) >= DAY_S, starts  # it did jump
    clock(0)
    own.service.start("jobs")
    wait_until(lambda: not spooled(own), 30, "an empty spool")
    db = Database(own.database_url)
    assert db.one("select count(*) from webhook_events where easypost_id = "
                  "any (%s)", [event["id"] for event in sent]) == len(sent)
    db.close()


@pytest.mark.parametrize("jumps", [[DAY_S], [DAY_S, 0]],
                         ids=["forwards", "and back"])
def test_a_purchase_under_way(own, clock, jumps):
    """Its deadlines are not the wall clock's; with its key it is made once, on
    both days."""
    client = Client(own, own.key)
    made = client.post("/v2/shipments", document={"shipment": {
        "to_address": TO, "from_address": FROM, "parcel": PARCEL}}).json()
    path, key = f"/v2/shipments/{made['id']}/buy", keyed()

    def buy():
        return client.post(path, headers=key, document={"rate": cheapest(made)})

    own.sim_control.fault("POST " + path, "late", seconds=1)
    bought = during(buy, [lambda: wait_until(
        lambda: buy_calls(own.sim_control, made["id"]), 10, "the call")]
        + [lambda ahead=ahead: clock(ahead) for ahead in jumps])
    assert bought.status_code == 200
    clock(0)
    again = buy()
    assert (again.status_code, again.content) == (200, bought.content)
    assert len(buy_calls(own.sim_control, made["id"])) == 1


def test_reads_and_keys(own, clock):
    """What is remembered for a second or a minute is so by another clock."""
    client = Client(own, own.key)
    for ahead in (0, DAY_S, 0, -DAY_S, 0):
        clock(ahead)
        for path in ("/db/shipments?limit=1", "/health", "/metrics",
                     "/v2/addresses?page_size=1"):
            assert client.get(path).status_code == 200, (ahead, path)
