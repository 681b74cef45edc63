"""Every call to the system may fail, at any time: no process crashes or hangs, no
2xx is said of what is lost, no label is bought twice, and what comes next is
served.

Some of the calls fail here; with TEST_FAILING=all, which takes long, each
kind of call fails at each of its occurrences, with each of its errors.
"""

import os
import re
import signal
import subprocess

import pytest
import requests

import documents
from env import stack as environment
from env.process import ENVIRONMENT
from env.service import accepts
from env.stack import Stack
from failing import Failing
from fixtures import simulator
from helpers import (Client, Database, assert_error, deliver, wait_until,
                     workers)
from test_processes import spooled
from test_simple import FROM, PARCEL, TO, cheapest, keyed

IS_WHOLE = os.environ.get("TEST_FAILING") == "all"

NETWORK = ["send", "recv", "poll", "connect", "socket", "read", "write"]
FILES = ["open", "write", "fsync", "rename", "close", "stat", "statvfs", "mkdir",
         "readdir", "access"]
LIMIT_S = 30  # what takes longer hangs


@pytest.fixture(scope="module")
def failing(tmp_path_factory):
    return Failing(tmp_path_factory.mktemp("failing"),
                   environment.default_build)


@pytest.fixture(scope="module")
def own(tmp_path_factory, failing):
    """One worker in each pool, and nobody who empties the spool."""
    with Stack(tmp_path_factory.mktemp("calls"),
               environment=failing.environment,
               conf={"WORKERS": "3", "WORKERS_OVERFLOW": "0"}) as one:
        one.service.stop("jobs")
        one.sim_control = simulator(one)
        yield one


def of(own, pool):
    """The one worker of a pool, when it is there."""
    return lambda: wait_until(lambda: workers(own, pool), LIMIT_S,
                              f"a worker of {pool}")[0]


class Asker:
    """A client that sees whether an answer is whole, and has patience with
    nginx's limits, behind which nothing of ours was asked."""

    def __init__(self, own):
        self.client = Client(own, own.key, timeout=LIMIT_S)
        self.client.session.headers["Accept-Encoding"] = "identity"

    def __call__(self, method, path, **options):
        """None for an answer that was cut off."""
        def ask():
            try:
                answer = self.client(method, path, stream=True, **options)
                body = answer.content
            except requests.exceptions.ChunkedEncodingError:
                return [None]
            if answer.status_code == 429:
                return None
            length = answer.headers.get("Content-Length", len(body))
            if int(length) == len(body):
                return [answer]
            self.client.session.close()  # as nginx does, now or in a moment
            return [None]

        return wait_until(ask, LIMIT_S, "less haste")[0]


def deaths(own, pool):
    """The signals that workers died of."""
    return re.findall(r"worker\.end .*signal=(\d+)",
                      own.logs()[pool + ".log"].decode())


# --- events -----------------------------------------------------------------


class Events:
    """Those that were answered with 200."""

    def __init__(self, own):
        self.own = own
        self.kept = []

    def send(self):
        sent = documents.event("tracker.updated", documents.tracker())
        answer = deliver(Client(self.own, timeout=LIMIT_S), sent)
        if answer.status_code == 200:
            self.kept.append(sent)
        else:
            assert_error(answer, (500, 502, 503, 504), easypost=False)

    def send_two(self):
        """With the second one the first is over, also what comes after its
        answer."""
        self.send()
        self.send()

    def settle(self):
        """Until one goes into the database again, not into the spool."""
        def is_direct():
            before = len(spooled(self.own)), len(self.kept)
            self.send()
            return (len(spooled(self.own)), len(self.kept) - 1) == before

        wait_until(is_direct, LIMIT_S, "the way into the database")

    def check(self):
        """Each is in the tables, once."""
        self.own.waybill("jobs", "--once")
        assert spooled(self.own) == []
        db = Database(self.own.database_url)
        ids = [event["id"] for event in self.kept]
        assert ids and len(set(ids)) == len(ids)
        assert db.one("select count(*) from webhook_events where "
                      "easypost_id = any (%s)", ids) == len(ids)
        db.close()


def test_events_while_the_network_fails(own, failing):
    events = Events(own)
    for step in failing.sweep(NETWORK, IS_WHOLE, of(own, "webhook")):
        with step:
            events.send_two()
        if step.failed:
            events.settle()
    events.check()
    assert deaths(own, "webhook") == []


def test_events_while_the_spool_fails(own, failing):
    """The database is away: there is nothing but the spool."""
    events = Events(own)
    own.postgres.crash()
    try:
        for step in failing.sweep(FILES, IS_WHOLE, of(own, "webhook")):
            with step:
                events.send_two()
    finally:
        own.postgres.start()
    events.settle()
    events.check()
    assert deaths(own, "webhook") == []


def test_events_while_memory_fails(own, failing):
    """A worker may end, the libraries know nothing better; the next is there."""
    events = Events(own)
    for step in failing.sweep(["memory"], IS_WHOLE, of(own, "webhook")):
        with step:
            events.send_two()
        if step.failed:
            events.settle()
    events.check()
    assert set(deaths(own, "webhook")) <= {"6"}


# --- reads ----------------------------------------------------------------------


READS = [("/db/shipments?limit=2", "read"), ("/health", "read"),
         ("/metrics", "read"), ("/v2/addresses?page_size=2", "upstream")]


@pytest.mark.parametrize("path, pool", READS if IS_WHOLE else READS[:1])
def test_reads_while_calls_fail(own, failing, path, pool):
    ask = Asker(own)
    good = ask("GET", path)
    assert good.status_code == 200
    for step in failing.sweep(NETWORK + ["open", "stat", "mmap", "memory"],
                              IS_WHOLE, of(own, pool)):
        with step:
            answers = [ask("GET", path), ask("GET", path)]
        for answer in answers:
            if answer is None:
                assert step.failed
            elif answer.status_code != 200:
                assert_error(answer, (500, 502, 503, 504))
            elif path == "/metrics":
                assert answer.text.endswith("\n"), step
            else:
                assert set(answer.json()) == set(good.json()), step
        if step.failed:
            wait_until(lambda: ask("GET", path).status_code == 200, LIMIT_S,
                       f"an answer after {step}")
    assert set(deaths(own, pool)) <= {"6"}


# --- purchases --------------------------------------------------------------------


class Purchases:
    def __init__(self, own):
        self.own = own
        self.ask = Asker(own)
        self.bought = []

    def make(self):
        """A shipment to be bought."""
        def post():
            answer = self.ask("POST", "/v2/shipments", document={"shipment": {
                "to_address": TO, "from_address": FROM, "parcel": PARCEL}})
            return answer.status_code == 201 and answer.json()

        return wait_until(post, LIMIT_S, "a shipment")

    def buy(self, made, key):
        answer = self.ask("POST", f"/v2/shipments/{made['id']}/buy",
                          headers=key, document={"rate": cheapest(made)})
        if answer is None:
            return False
        if answer.status_code != 200:
            assert_error(answer)
            return False
        assert answer.json()["tracking_code"]
        self.bought.append(made["id"])
        return True

    def check(self):
        self.own.waybill("jobs", "--once")
        db = Database(self.own.database_url)
        calls = [call["path"] for call in self.own.sim_control.calls("/buy")]
        for bought in self.bought:
            assert db.row("shipments", bought)["tracking_code"], bought
            assert len([path for path in calls if bought in path]) == 1, bought
        db.close()


def test_purchases_while_calls_fail(own, failing):
    purchases = Purchases(own)
    for step in failing.sweep(NETWORK + FILES, IS_WHOLE, of(own, "upstream")):
        made, key = purchases.make(), keyed()
        with step:
            is_bought = purchases.buy(made, key)
        if not is_bought:
            purchases.buy(made, key)
        calls = own.sim_control.calls(made["id"] + "/buy")
        assert len(calls) <= 1, (step, calls)
    purchases.check()
    assert deaths(own, "upstream") == []


# --- commands ----------------------------------------------------------------------


@pytest.fixture(scope="module")
def alone(tmp_path_factory):
    """For commands only."""
    return Failing(tmp_path_factory.mktemp("alone"), environment.default_build)


def run(own, alone, *words):
    variables = dict(alone.environment)
    if words[0] in ("key", "migrate"):
        variables["DATABASE_URL"] = own.operator_url
    return subprocess.run(
        [own.service.program("waybill"), "-c", own.conf_file, *words],
        env={**ENVIRONMENT, **variables}, cwd=own.directory, timeout=LIMIT_S,
        stdin=subprocess.DEVNULL, capture_output=True, text=True, check=False)


def shape(text):
    """What is the same in two moments."""
    return re.sub(r"[\d.:+-]+\S*|\s+", " ", text)


COMMANDS = ["config", "key list", "jobs --once", "check", "status",
            "status --json", "migrate status", "migrate verify", "jobs list",
            "spool", "refresh", "report", "reconcile --days 2",
            "backfill --type address", "rebuild", "tune", "webhook list",
            "webhook test"]
ALL_CALLS = NETWORK + FILES + ["flock", "memory", "mmap", "unlink"]


@pytest.mark.parametrize("words", COMMANDS if IS_WHOLE else COMMANDS[:1])
def test_commands_while_calls_fail(own, alone, words):
    """Each says that it failed, and why, or has done what it always does."""
    words = words.split()
    good = run(own, alone, *words)
    assert good.returncode in (0, 1)
    for step in alone.sweep(ALL_CALLS, IS_WHOLE):
        with step:
            done = run(own, alone, *words)
        assert done.returncode in (0, 1) or (
            done.returncode == -signal.SIGABRT and "memory" in repr(step)), (
            step, done)
        if done.returncode != good.returncode:
            assert done.stderr or done.stdout, step


def test_a_pool_starts_or_says_why_not(own, alone, tmp_path):
    place = str(tmp_path / "other.sock")
    variables = {**ENVIRONMENT, **alone.environment,
                 "WAYBILL_RUN_DIR": str(tmp_path)}
    for step in alone.sweep(["open", "socket", "mmap", "stat", "fork", "unlink",
                             "memory"], IS_WHOLE):
        with step, open(tmp_path / "log", "w+", encoding="utf-8") as log:
            started = subprocess.Popen(
                [own.service.program("waybill-fcgi"), "-c", own.conf_file,
                 "-l", place, "read"], env=variables,
                cwd=own.directory, stdin=subprocess.DEVNULL, stderr=log)
            try:
                wait_until(lambda started=started: accepts(place)
                           or started.poll() is not None, LIMIT_S, repr(step))
            finally:
                started.terminate()
                status = started.wait(LIMIT_S)
            log.seek(0)
            assert status == 0 or status > 0 and log.read(), step
        assert not accepts(place), step
