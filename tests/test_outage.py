"""While the database is away: nobody waits for what is known, and what it
refuses can be looked at, mended and brought.

A stack of its own, of few workers, so that it is known who knows what.
"""

import os
import re
import subprocess
import time

import pytest

import documents
from env.stack import Stack
from fixtures import simulator
from helpers import (Client, Database, compact, deliver, setting, unique,
                     wait_until)


@pytest.fixture(scope="module")
def own(tmp_path_factory):
    with Stack(tmp_path_factory.mktemp("outage"), conf={
            "WORKERS": "4", "WORKERS_OVERFLOW": "0"}) as one:
        yield one


@pytest.fixture
def own_db(own):
    found = Database(own.database_url)
    yield found
    found.close()


def event():
    return documents.event("tracker.updated", documents.tracker(
        [documents.detail(1, "in_transit", "Moved")]))


def access_lines(stack, pool, answers):
    """The fields of the lines that the pool's log has of these answers."""
    ids = {answer.headers["X-Request-Id"] for answer in answers}

    def look():
        lines = [dict(re.findall(r"(\w+)=(\S+)", line)) for line in
                 stack.logs()[pool + ".log"].decode().splitlines()
                 if ">request " in line]
        found = [line for line in lines if line["request_id"] in ids]
        return len(found) == len(ids) and found

    return wait_until(look, 10, "the lines of all answers")


def has_said(stack, pool, place, word):
    return f">breaker.{word} " in stack.logs(place)[pool + ".log"].decode()


# --- the breaker ---------------------------------------------------------------------


@pytest.mark.parametrize("how", ["freeze", "crash"])
def test_nobody_waits_for_what_is_known(own, own_db, how):
    """Two events find out; the others go to the spool without a question, and
    the return is looked for when their senders have their answers."""
    own_db.close()
    place = own.log_sizes()
    nobody = Client(own)
    events = []

    def send(number):
        events.extend(event() for _ in range(number))
        answers = [deliver(nobody, one) for one in events[-number:]]
        assert {answer.status_code for answer in answers} == {200}
        return answers

    getattr(own.postgres, how)()
    try:
        send(2)
        assert has_said(own, "webhook", place, "open")
        # What the database cost them came behind their answers.
        for line in access_lines(own, "webhook", send(20)):
            if float(line["database_ms"]) > 1:
                assert float(line["total_ms"]) < float(line["database_ms"])
        assert not has_said(own, "webhook", place, "closed")
    finally:
        own.postgres.start() if how == "crash" else own.postgres.thaw()

    def is_closed():
        send(1)
        return has_said(own, "webhook", place, "closed")

    wait_until(is_closed, 15, "the breaker to close")
    db = Database(own.database_url)
    ids = [one["id"] for one in events]
    wait_until(lambda: db.one("select count(*) from webhook_events where "
                              "easypost_id = any (%s)", ids) >= len(ids),
               30, "all events")
    assert db.one("select count(*) from webhook_events where "
                  "easypost_id = any (%s)", ids) == len(ids)
    db.close()


def test_purchases_do_not_wait_either(own, own_db):
    """The record of what EasyPost did goes to the spool at once."""
    own_sim = simulator(own)
    easypost = Client(own, setting(own, "EASYPOST_TEST_API_KEY"))
    path = "/v2/" + unique("outage_")
    bought = [documents.shipment(bought=True) for _ in range(12)]
    own_db.close()
    place = own.log_sizes()
    own.postgres.freeze()
    try:
        answers = []
        for one in bought:
            own_sim.canned("POST", path, one)
            answers.append(easypost.post(path))
            assert answers[-1].content == compact(one)
        assert has_said(own, "upstream", place, "open")
        waited = [line for line in access_lines(own, "upstream", answers)
                  if float(line["total_ms"]) > 400]
        assert len(waited) <= 2, waited
    finally:
        own.postgres.thaw()
    db = Database(own.database_url)
    wait_until(lambda: all(db.row("shipments", one["id"]) for one in bought),
               30, "all labels")
    db.close()


def test_one_slow_answer_opens_nothing(own, own_db):
    """A lock that somebody holds is no outage."""
    known = documents.tracker([documents.detail(1, "in_transit", "Moved")])
    nobody = Client(own)
    assert deliver(nobody, documents.event(
        "tracker.updated", known)).status_code == 200
    moved = documents.event("tracker.updated", dict(
        known, status="delivered", updated_at=documents.at(9)))
    place = own.log_sizes()
    own_db("begin")
    own_db("select 1 from trackers where easypost_id = %s for update",
           known["id"])
    assert deliver(nobody, moved).status_code == 200  # in the spool
    assert deliver(nobody, event()).status_code == 200
    assert not has_said(own, "webhook", place, "open")
    own_db("rollback")
    wait_until(lambda: own_db.one("select status from trackers where "
                                  "easypost_id = %s", known["id"])
               == "delivered", 30, "the event that had to wait")


def test_after_a_quiet_time_the_first_one_looks(own, own_db):
    """Nobody came behind whom to look; the database is back since long."""
    nobody = Client(own)
    own_db.close()
    own.postgres.crash()
    try:
        for _ in range(3):
            assert deliver(nobody, event()).status_code == 200
    finally:
        own.postgres.start()
    own.stop_pool("jobs")
    back = time.monotonic()
    wait_until(lambda: time.monotonic() > back + 3, 10, "a quiet time")
    sent = event()
    assert deliver(nobody, sent).status_code == 200
    db = Database(own.database_url)
    assert db.one("select count(*) from webhook_events where easypost_id = %s",
                  sent["id"]) == 1
    db.close()
    own.service.start("jobs")


# --- what the database refuses ---------------------------------------------------------


REFUSE = """
create function public.refuse() returns trigger language plpgsql as $$
begin
    if new.easypost_id = %s then
        raise exception 'not this one' using errcode = '23514';
    end if;
    return new;
end $$;
create trigger refuse before insert on webhook_events
    for each row execute function public.refuse()
"""


def spool(stack, *words):
    done = subprocess.run(
        [stack.service.program("waybill"), "-c", stack.conf_file, "spool",
         *words], capture_output=True, text=True, check=False, timeout=20)
    return done.returncode, done.stdout, done.stderr


def told(stack):
    """What /health and /metrics say of records that were set aside."""
    client = Client(stack, stack.key)
    health = client.get("/health").json()["data"]
    text = client.get("/metrics").text
    return (health["spool"]["bad"], health["status"], int(re.search(
        r"^waybill_spool_bad_records (\d+)$", text, re.MULTILINE)[1]))


def test_what_is_refused_is_told_and_can_be_brought_later(own, own_db):
    wait_until(lambda: spool(own) == (0, "The spool is empty.\n", ""), 20)
    assert told(own) == (0, "ok", 0)
    poison, others = event(), [event() for _ in range(3)]
    own_db(REFUSE.replace("%s", f"'{poison['id']}'"))
    nobody = Client(own)
    got = [deliver(nobody, one) for one in (poison, *others)]
    assert {one.status_code for one in got} == {200}
    wait_until(lambda: told(own) == (1, "degraded", 1), 20, "one set aside")
    for one in others:  # it held up nothing
        assert own_db.one("select count(*) from webhook_events "
                          "where easypost_id = %s", one["id"]) == 1
    status, out, error = spool(own, "list")
    assert status == 1 and "waybill spool retry" in error
    head, line, reason = out.splitlines()
    assert head.split() == ["state", "kept", "kind", "bytes", "name"]
    assert line.split()[0] == "bad" and line.split()[2] == "webhook"
    assert reason.strip() == "23514: not this one"
    name = line.split()[-1]
    status, out, error = spool(own, "show", name)
    assert (status, out.encode()) == (0, compact(poison))
    assert got[0].headers["X-Request-Id"] in error
    # Again, while nothing has been mended: it comes back.
    assert spool(own, "retry", name) == (0, "1 wait again.\n", "")
    wait_until(lambda: told(own) == (1, "degraded", 1), 20, "set aside again")
    own_db("drop function public.refuse() cascade")
    assert spool(own, "retry", "all")[0] == 0
    wait_until(lambda: told(own) == (0, "ok", 0), 20, "an empty spool")
    assert own_db.one("select count(*) from webhook_events "
                      "where easypost_id = %s", poison["id"]) == 1
    assert os.listdir(os.path.join(own.spool_dir, "bad")) == []


@pytest.mark.parametrize("words", [
    ("show", "nothing"), ("show", "../x"), ("show", ""), ("retry", "nothing"),
    ("retry", "../new"), ("retry", ".")])
def test_names_that_are_none(own, words):
    status, out, error = spool(own, *words)
    assert (status, out) == (1, "") and error.startswith("waybill: ")


@pytest.mark.parametrize("words", [("show",), ("retry",), ("list", "x"),
                                   ("remove", "x")])
def test_words_that_are_none(own, words):
    status, out, error = spool(own, *words)
    assert (status, out) == (2, "") and error.startswith("usage:")
