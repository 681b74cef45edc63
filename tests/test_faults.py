"""PostgreSQL fails in every way while events come and labels are bought: what was
answered with 2xx is in the database afterwards, once.

What dies and hangs is in test_processes.py too; here it meets purchases, and what
does not die: a server that only reads, that cuts connections, whose disk is full.
"""

import contextlib
import os
import random
import signal
import subprocess
import tempfile
import threading

import pytest

import documents
from env.stack import Stack
from fixtures import simulator
from helpers import (Client, Database, children, deliver, parallel,
                     wait_until, workers)
from load import Load
from test_processes import enough, spooled
from test_simple import FROM, PARCEL, TO, cheapest, keyed

ROUNDS = int(os.environ.get("TEST_KILLS", "12"))


@contextlib.contextmanager
def small_disk(directory, megabytes):
    """A file system of its own, for what fills it."""
    os.makedirs(directory, exist_ok=True)
    done = subprocess.run(["mount", "-t", "tmpfs", "-o",
                           f"size={megabytes}m", "tmpfs", directory],
                          capture_output=True, text=True, check=False)
    if done.returncode != 0:
        pytest.skip("only root may mount: " + done.stderr.strip())
    try:
        yield directory
    finally:
        subprocess.run(["umount", "-l", directory], check=True)


@pytest.fixture(scope="module")
def own():
    """Its database on a small disk, where the server's user gets to."""
    with tempfile.TemporaryDirectory(dir="/var/tmp") as directory:
        os.chmod(directory, 0o711)
        with small_disk(os.path.join(directory, "pg"), 400):
            with Stack(directory, conf={"WORKERS": "10",
                                        "WORKERS_OVERFLOW": "0"}) as one:
                one.sim_control = simulator(one)
                yield one


class Ledger:
    """What was answered with 2xx."""

    def __init__(self, own):
        self.own = own
        self.events, self.refused, self.labels = [], [], {}
        self.lock = threading.Lock()

    def event_client(self):
        client = Client(self.own)

        def ask():
            event = documents.event("tracker.updated", documents.tracker(
                [documents.detail(1, "in_transit", "Moved")]))
            answer = deliver(client, event)
            with self.lock:
                (self.events if answer.status_code == 200
                 else self.refused).append(event)
            return answer

        return ask

    def buyer(self):
        """Buys one shipment after the other, each until it has the label."""
        client = Client(self.own, self.own.key)
        wanted = {}

        def ask():
            if not wanted:
                answer = client.post("/v2/shipments", document={"shipment": {
                    "to_address": TO, "from_address": FROM,
                    "parcel": PARCEL}})
                if answer.status_code == 201:
                    made = answer.json()
                    wanted.update(id=made["id"], key=keyed(),
                                  body={"rate": cheapest(made)})
                return answer
            answer = client.post(f"/v2/shipments/{wanted['id']}/buy",
                                 document=wanted["body"],
                                 headers=wanted["key"])
            if answer.status_code == 200:
                with self.lock:
                    self.labels[wanted["id"]] = answer.json()["tracking_code"]
                wanted.clear()
            return answer

        return ask

    def check(self):
        """Each once, and nothing was set aside."""
        wait_until(lambda: spooled(self.own) == [], 60, "an empty spool")
        db = Database(self.own.database_url)
        ids = [event["id"] for event in self.events]
        assert len(set(ids)) == len(ids) > 0
        assert db.one("select count(*) from webhook_events where "
                      "easypost_id = any (%s)", ids) == len(ids)
        results = [event["result"]["id"] for event in self.events]
        assert db.one(
            "select count(*), count(distinct t.easypost_id) from "
            "shipment_events e join trackers t on t.id = e.tracker_id where "
            "t.easypost_id = any (%s)", results) == (len(ids), len(ids))
        assert self.labels
        for bought, code in self.labels.items():
            assert db.row("shipments", bought)["tracking_code"] == code
        db.close()
        calls = self.own.sim_control.calls("/buy")
        for bought in self.labels:  # nobody was sent twice
            assert len([call for call in calls
                        if bought in call["path"]]) == 1, bought


def read_only(own):
    own.postgres.psql("alter system set default_transaction_read_only = on")
    own.postgres.psql("select pg_reload_conf()")
    yield
    own.postgres.psql("set transaction_read_only = off; "
                      "alter system reset default_transaction_read_only")
    own.postgres.psql("select pg_reload_conf()")


def cut_connections(own):
    for _ in range(5):
        own.postgres.psql(
            "select pg_terminate_backend(pid) from pg_stat_activity "
            "where application_name like 'waybill%'")
        yield


def restart(own):
    for _ in range(2):
        own.postgres.stop()
        yield
        own.postgres.start()
        yield


def kill(own):
    pids = own.postgres.pids()
    for pid in pids:
        with contextlib.suppress(ProcessLookupError):
            os.kill(pid, signal.SIGKILL)
    own.postgres.process.wait(10)
    yield
    own.postgres.start()


def pause(own):
    own.postgres.freeze()
    yield
    own.postgres.thaw()


def full_disk(own):
    """Not a byte is left for its files; then there is room again."""
    filler = os.path.join(own.pg_dir, "filler")
    with open(filler, "wb") as file:
        with contextlib.suppress(OSError):
            while True:
                file.write(b"\0" * 1024 * 1024)
                file.flush()
    yield
    yield
    os.remove(filler)
    if not own.postgres.process.is_running():
        own.postgres.start()


FAULTS = [read_only, cut_connections, restart, kill, pause, full_disk]


@pytest.mark.parametrize("fault", FAULTS)
def test_nothing_is_lost_and_nothing_doubled(own, fault):
    ledger = Ledger(own)
    with Load([ledger.event_client() for _ in range(4)]
              + [ledger.buyer() for _ in range(2)]) as load:
        enough(load, 60)
        for _ in fault(own):
            enough(load, 60)
        wait_until(lambda: Client(own).get("/readyz").status_code == 200, 30,
                   "the database")
        enough(load, 60)
    ledger.check()
    assert ledger.refused == []  # nobody was killed but the database


def test_our_own_processes_are_killed_at_random(own):
    """Supervisors, workers, jobs, whole groups: what was not answered may be
    sent again; what was, is there."""
    chance = random.Random(int(os.environ.get("TEST_SEED", "7")))
    ledger = Ledger(own)

    def kill_one(pool):
        head = own.pids[pool]
        victims = [head] if pool == "jobs" else {
            "worker": workers(own, pool)[:1], "workers": workers(own, pool),
            "supervisor": [head], "all": [head] + children(head)}[
                chance.choice(["worker", "workers", "supervisor", "all"])]
        for pid in victims:
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)
        if head in victims:
            own.service.processes[pool].wait(10)
            own.service.start(pool)

    with Load([ledger.event_client() for _ in range(4)]
              + [ledger.buyer() for _ in range(2)]) as load:
        for _ in range(ROUNDS):
            enough(load, chance.randrange(1, 40))
            if chance.random() < 0.15:
                own.postgres.crash()
                enough(load, 10)
                own.postgres.start()
            kill_one(chance.choice(["webhook", "webhook", "upstream", "read",
                                    "jobs"]))
        enough(load, 60)
    bad = os.path.join(own.spool_dir, "bad")
    assert not os.path.isdir(bad) or os.listdir(bad) == []
    # A purchase that was killed in its course is in doubt for a minute.
    again = Database(own.database_url)
    again("update idempotency_claims set created_at = now() - interval '61 s' "
          "where state = 'running'")
    again.close()
    ledger.check()


def test_the_disk_of_the_spool_is_full(tmp_path):
    """503 and never a false 2xx; when there is room again, it goes on."""
    with small_disk(os.path.join(tmp_path, "full"), 66) as disk:
        with Stack(os.path.join(tmp_path, "stack"), conf={
                "WORKERS": "4", "WORKERS_OVERFLOW": "0",
                "WAYBILL_SPOOL_DIR": os.path.join(disk, "spool")}) as own:
            os.chmod(disk, 0o711)
            own.spool_dir = os.path.join(disk, "spool")
            kept, refused = [], []

            def send(_):
                event = documents.event("batch.updated", documents.batch(
                    ["shp_" + "a" * 32 for _ in range(1000)]))
                answer = deliver(Client(own), event)
                assert answer.status_code in (200, 503), answer.text
                if answer.status_code == 503:
                    assert int(answer.headers["Retry-After"]) >= 1
                (kept if answer.status_code == 200 else refused).append(event)
                return answer.status_code

            own.postgres.crash()
            wait_until(lambda: 503 in parallel(4, send), 60, "a full disk")
            own.postgres.start()
            wait_until(lambda: spooled(own) == [], 60, "an empty spool")
            wait_until(lambda: 503 not in parallel(4, send), 30, "room")
            db = Database(own.database_url)
            for event in refused:
                assert deliver(Client(own), event).status_code == 200
            ids = [event["id"] for event in kept + refused]
            wait_until(lambda: db.one(
                "select count(*) from webhook_events where easypost_id = any "
                "(%s)", ids) == len(ids), 30, "all of them")
            db.close()
