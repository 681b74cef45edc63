"""The queue of jobs: done by one, tried again with growing pauses, and what fails
for good stays to be seen."""

import os
import re
import signal
import subprocess
import uuid

import pytest

import documents
from env.stack import Stack
from helpers import Client, Database, deliver, deliver_recorded, wait_until


@pytest.fixture(scope="module")
def own(tmp_path_factory):
    with Stack(tmp_path_factory.mktemp("jobs"), conf={
            "WORKERS": "3", "WORKERS_OVERFLOW": "0"}) as one:
        yield one


@pytest.fixture
def own_db(own):
    found = Database(own.database_url)
    found("delete from jobs")
    yield found
    found.close()


def command(stack, *words):
    done = subprocess.run(
        [stack.service.program("waybill"), "-c", stack.conf_file, "jobs",
         *words], capture_output=True, text=True, check=False, timeout=30)
    return done.returncode, done.stdout, done.stderr


def state(db, job):
    return db.one("select state, attempts, error from jobs where id = %s", job)


def queue(db, kind="nothing", **payload):
    return db.one("insert into jobs (kind, payload) values (%s, %s::jsonb) "
                  "returning id", kind, str(payload).replace("'", '"'))


def make_due(db, job):
    db("update jobs set run_at = now() where id = %s", job)


def refuse(db, tracker):
    db("create function public.refuse() returns trigger language plpgsql as "
       f"$$ begin if new.easypost_id = '{tracker}' then raise exception "
       "'not this one' using errcode = '23514'; end if; return new; end $$")
    db("create trigger refuse before insert on trackers for each row "
       "execute function public.refuse()")


def test_an_event_that_failed_is_tried_again_until_it_is_applied(own, own_db):
    event = documents.event("tracker.updated", documents.tracker(
        [documents.detail(1, "in_transit", "Moved")]))
    tracker = event["result"]["id"]
    refuse(own_db, tracker)
    got = deliver(Client(own), event)
    assert got.status_code == 200
    job, kind, request = own_db.one("select id, kind, request_id from jobs")
    assert kind == "replay_event"
    assert request == got.headers["X-Request-Id"]
    pauses = []
    for attempt in (1, 2, 3):
        make_due(own_db, job)
        wait_until(lambda attempt=attempt: state(own_db, job)
                   == ("queued", attempt, "not this one"), 20, "an attempt")
        pauses.append(own_db.one("select extract(epoch from run_at - "
                                 "started_at)::integer from jobs"))
    assert pauses == [60, 300, 1500]
    own_db("drop function public.refuse() cascade")
    make_due(own_db, job)
    wait_until(lambda: state(own_db, job) == ("done", 4, None), 20, "the job")
    assert own_db.row("trackers", tracker)["status"] == "in_transit"
    assert own_db.one("select state from webhook_events where easypost_id = %s",
                      event["id"]) == "applied"


def test_what_fails_for_good_stays_and_can_be_tried_again(own, own_db):
    assert command(own, "list")[0] == 0
    job = queue(own_db)
    for attempt in range(1, 6):
        make_due(own_db, job)
        wait_until(lambda attempt=attempt: state(own_db, job)[1] == attempt,
                   20, "an attempt")
    assert state(own_db, job) == ("failed", 5, "there is no kind of job "
                                  "nothing")
    status, out, _ = command(own, "list")
    assert status == 0
    assert re.search(rf"{job}.*nothing.*failed.*5 of 5.*no kind of job", out)
    text = Client(own, own.key).get("/metrics").text
    assert 'waybill_jobs{state="failed"} 1' in text
    assert b">jobs.failed " in own.logs()["jobs.log"]
    own_db("update jobs set finished_at = now() - interval '99 days'")
    own_db("select admin.forget_jobs()")
    assert command(own, "retry", str(job)) == (0, "1 queued again.\n", "")
    wait_until(lambda: state(own_db, job)[1] == 1, 20, "the next attempt")
    assert command(own, "retry", str(job))[:2] == (1, "0 queued again.\n")
    assert command(own, "retry", "all")[:2] == (0, "0 queued again.\n")


def test_one_that_fails_holds_up_no_other(own, own_db):
    first = queue(own_db)
    event = documents.event("batch.updated", documents.batch())
    deliver_recorded(Client(own), event)
    row = own_db.one("select id from webhook_events where easypost_id = %s",
                     event["id"])
    second = queue(own_db, "replay_event", id=str(row))
    wait_until(lambda: state(own_db, second)[0] == "done", 20, "the second")
    assert state(own_db, first)[:2] == ("queued", 1)


def test_two_do_not_do_the_same(own, own_db):
    """What somebody is doing is passed over, and his when he ends; when he dies,
    it is as it was."""
    job = queue(own_db)
    own.stop_pool("jobs")
    holder = Database(own.database_url)
    holder("begin")
    assert str(holder.one("select id from admin.work_job()")) == str(job)
    other = Database(own.database_url)
    assert other("select id, outcome from admin.work_job()") == [(None, None)]
    holder("rollback")  # as the server does when he dies
    assert state(own_db, job)[:2] == ("queued", 0)
    assert str(other.one("select id from admin.work_job()")) == str(job)
    assert state(own_db, job)[:2] == ("queued", 1)
    holder.close()
    other.close()
    own.start_pool("jobs")


def test_jobs_are_killed_at_their_work(own, own_db):
    """Each is done all the same, and once."""
    event = documents.event("batch.updated", documents.batch())
    deliver_recorded(Client(own), event)
    row = own_db.one("select id from webhook_events where easypost_id = %s",
                     event["id"])
    jobs = [queue(own_db, "replay_event", id=str(row)) for _ in range(200)]
    for _ in range(4):
        os.kill(own.pids["jobs"], signal.SIGKILL)
        own.service.processes["jobs"].wait(10)
        own.service.start("jobs")
    wait_until(lambda: own_db.one("select count(*) from jobs where state = "
                                  "'done' and attempts = 1") == len(jobs), 60,
               "all jobs")


def test_done_ones_are_forgotten_after_a_week(own, own_db):
    for days in (6, 8):
        own_db("insert into jobs (kind, state, finished_at) values ('x', "
               "'done', now() - %s * interval '1 day')", days)
    assert own_db.one("select forgotten from admin.forget_jobs()") == 1


def test_comparisons_are_forgotten_after_13_months(own, own_db):
    for months in (12, 14):
        own_db("insert into refresh_history (view_name, started_at, "
               "duration_ms, result) values ('test', now() - %s * interval "
               "'1 month', 1, 'refreshed')", months)
    kept = "select count(*) from refresh_history where view_name = 'test'"
    assert own_db.one("select forgotten from admin.forget_jobs()") == 1
    assert own_db.one(kept) == 1
    own_db("delete from refresh_history where view_name = 'test'")


def test_what_keys_spent_is_forgotten_after_13_months(own, own_db):
    key = own_db.one("select id from api_keys limit 1")
    for months in (12, 14):
        own_db("insert into spendings (id, key_id, thing, day, currency, amount, "
               "created_at) select gen_random_uuid(), %s, 'buy ' || %s, m, 'USD', 1, "
               "m from (select now() - %s * interval '1 month' as m) t",
               key, months, months)
    assert own_db.one("select forgotten from admin.forget_jobs()") == 1
    assert own_db("delete from spendings returning thing") == [("buy 12",)]


@pytest.mark.parametrize("words", [("retry",), ("list", "x"), ("now",),
                                   ("retry", "a", "b")])
def test_words_that_are_none(own, words):
    status, out, error = command(own, *words)
    assert (status, out) == (2, "") and "usage:" in error


def test_an_id_that_is_none(own):
    status, _, error = command(own, "retry", "x")
    assert status == 1 and "uuid" in error
    assert command(own, "retry", str(uuid.uuid4()))[0] == 1
