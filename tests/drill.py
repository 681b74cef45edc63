"""The drill: the database is lost while a shop is buying labels, and restored as
docs/backup.md says, with the files of backup/.

    make drill          prints what was lost for how long, and how long it took

Each case has a stack of its own, with WAL archiving.  DRILL_TIMEOUT is the
archive_timeout (seconds); with 60, as in backup/, the drill means something when
DRILL_PURCHASES take longer than that.
"""

import os
import random
import re
import shutil
import signal
import tempfile
import threading
import time

import pytest
import requests

from env.process import run
from env.stack import Stack
from env.wait import wait_until
from fixtures import simulator
from helpers import ROOT, Client, Database, setting, unique
from test_figures import assert_right
from test_reconcile import command, ledger
from test_simple import FROM, PARCEL, TO, cheapest, keyed

TIMEOUT_S = int(os.environ.get("DRILL_TIMEOUT", "2"))
BUYERS = 3
PACE_S = 0.2  # between two purchases of one buyer
PURCHASES = int(os.environ.get("DRILL_PURCHASES", "40"))  # before it happens

pytestmark = pytest.mark.timeout(900)


class Backups:
    """pgBackRest with the configuration that is delivered, and other paths."""

    def __init__(self, directory):
        self.directory = directory
        self.conf = os.path.join(directory, "pgbackrest.conf")

    def prepare(self, pg_dir, socket_dir):
        with open(os.path.join(ROOT, "backup", "pgbackrest.conf"),
                  encoding="utf-8") as file:
            text = file.read()
        for name, value in (("repo1-path", "repo"), ("log-path", "log"),
                            ("lock-path", "lock")):
            path = os.path.join(self.directory, value)
            os.mkdir(path)
            shutil.chown(path, "postgres", "postgres")
            text, count = re.subn(f"(?m)^{name}=.*", f"{name}={path}", text)
            assert count == 1
        text, count = re.subn(
            "(?m)^pg1-path=.*",
            f"pg1-path={pg_dir}\npg1-socket-path={socket_dir}", text)
        assert count == 1
        with open(self.conf, "w", encoding="utf-8") as file:
            file.write(text)
        os.chmod(self.conf, 0o644)

    def __call__(self, *words, limit_s=120):
        return run(["pgbackrest", f"--config={self.conf}", "--stanza=waybill",
                    *words], directory="/", user="postgres", limit_s=limit_s)

    def settings(self):
        """What PostgreSQL is told by backup/postgresql.conf."""
        with open(os.path.join(ROOT, "backup", "postgresql.conf"),
                  encoding="utf-8") as file:
            found = dict(re.findall(r"(?m)^(\w+) = '?(.*?)'?$", file.read()))
        assert set(found) == {"archive_mode", "archive_command",
                              "archive_timeout"}
        found["archive_command"] = found["archive_command"].replace(
            "pgbackrest", f"pgbackrest --config={self.conf}")
        found["archive_timeout"] = str(TIMEOUT_S)
        return found


class Shop:
    """Somebody who buys labels all the time, each with a key of its own, and
    asks again, with the same key, until there is a label."""

    def __init__(self, stack):
        self.stack = stack
        self.sim = simulator(stack)
        self.lock = threading.Lock()
        self.bought = {}    # reference: (moment, id, code) as it was told
        self.requests = {}  # reference: how to ask the same again
        self.failures = []
        self.closing = threading.Event()
        self.threads = [threading.Thread(target=self.work, args=(number,))
                        for number in range(BUYERS)]

    def work(self, number):
        try:
            while not self.closing.wait(PACE_S):
                self.buy(number)
        except BaseException as error:
            self.failures.append(error)
            raise

    def ask(self, client, path, document, key=None):
        """None: nobody knows, or not now."""
        try:
            got = client.post(path, document=document,
                              headers=dict(key or {}))
        except requests.RequestException:
            return None
        assert got.status_code < 300 or got.status_code in (
            409, 422, 502, 503, 504), (path, got.status_code, got.text)
        return got if got.status_code < 300 else None

    def buy(self, number):
        """The first buyer creates and buys in one call, which only its key can
        keep from being done twice; the second with two calls and a key; the
        third as a client without any key, whom an outage does not stop."""
        reference = unique("ref-")
        draft = {"to_address": TO, "from_address": FROM, "parcel": PARCEL,
                 "reference": reference}
        client = Client(self.stack, self.stack.key)
        if number == 0:
            request = ("/shipments/buy", draft | {"rate": "cheapest"}, keyed())
        else:
            if number == 2:
                client = Client(self.stack, setting(
                    self.stack, "EASYPOST_TEST_API_KEY"))
            made = self.ask(client, "/v2/shipments", {"shipment": draft})
            if made is None:
                return
            made = made.json()
            request = (f"/v2/shipments/{made['id']}/buy",
                       {"rate": {"id": cheapest(made)["id"]}},
                       keyed() if number == 1 else None)
        self.requests[reference] = (client, *request)
        self.insist(reference)

    def insist(self, reference):
        """Whether there is a label."""
        while True:
            got = self.ask(*self.requests[reference])
            if got is not None:
                shown = got.json()
                shown = shown.get("data", shown)
                with self.lock:
                    self.bought[reference] = (
                        time.time(), shown["id"], shown["tracking_code"])
                # its parcel moves: events
                self.sim._post(f"/tracker/{shown['tracker']['id']}/advance",
                               {"steps": 1, "wait": False})
                return True
            if self.requests[reference][3] is None or self.closing.wait(PACE_S):
                return False  # without a key one looks before one asks again

    def wait_for(self, purchases):
        goal = len(self.bought) + purchases
        wait_until(lambda: len(self.bought) >= goal or self.failures, 120,
                   f"{purchases} more labels")
        assert self.failures == []

    def __enter__(self):
        for thread in self.threads:
            thread.start()
        return self

    def close(self):
        self.closing.set()
        for thread in self.threads:
            thread.join(60)
        assert self.failures == []

    def __exit__(self, *_):
        self.close()


@pytest.fixture
def backups():
    directory = tempfile.mkdtemp(prefix="waybill-drill-", dir="/var/tmp")
    os.chmod(directory, 0o755)
    yield Backups(directory)
    shutil.rmtree(directory, ignore_errors=True)


@pytest.fixture
def own(backups):
    """A stack in a place where the server's user can be, with archiving."""
    one = Stack(os.path.join(backups.directory, "stack"),
                run_dir=os.path.join(backups.directory, "run"), fsync=True,
                conf={"WORKERS": "8", "WORKERS_OVERFLOW": "4"},
                postgres_settings=backups.settings())
    backups.prepare(os.path.join(one.directory, "pg"),
                    os.path.join(backups.directory, "run", "pg"))
    one.start()
    backups("stanza-create")
    backups("check")
    yield one
    one.stop()


def destroy(server):
    """The power of a tired administrator."""
    for pid in server.pids():
        try:
            os.kill(pid, signal.SIGKILL)
        except ProcessLookupError:
            pass
    server.process.wait(20)
    shutil.rmtree(server.directory)
    os.mkdir(server.directory, 0o700)
    shutil.chown(server.directory, "postgres", "postgres")


def open_server(stack):
    """Starts it, and waits until it may be written to."""
    stack.postgres.start()
    wait_until(lambda: stack.psql("select pg_is_in_recovery()::text")[0][0]
               == "false", 60, "the end of recovery")


def empty_spool(stack):
    wait_until(lambda: command(stack, "spool")[1] == "The spool is empty.\n",
               120, "an empty spool")


def reconcile(stack):
    status, said, error = command(stack, "reconcile", "--days", "2")
    assert status == 0, error
    return said


def labels(stack):
    """How many labels EasyPost has sold for each reference."""
    base, found, before = stack.sim.base, {}, ""
    session = requests.Session()
    session.trust_env = False
    session.auth = (setting(stack, "EASYPOST_TEST_API_KEY"), "")
    while True:
        page = session.get(f"{base}/v2/shipments?page_size=100{before}",
                           timeout=20).json()
        for one in page["shipments"]:
            codes = found.setdefault(one["reference"], [])
            if one["tracking_code"]:
                codes.append((one["id"], one["tracking_code"]))
        if not page["has_more"]:
            return found
        before = f"&before_id={page['shipments'][-1]['id']}"


def missing(db, shop):
    """What buyers were told, and the database does not know."""
    known = dict(db("select easypost_id, tracking_code from shipments"))
    return {reference: moment for reference, (moment, shipment, code)
            in shop.bought.items() if known.get(shipment) != code}


def assert_whole(stack, db, shop):
    """Nothing is missing, nothing was bought twice, the figures are right."""
    for row in ledger(stack, mode="test"):
        assert row["is_complete"] and row["missing"] == 0, row
    assert missing(db, shop) == {}
    sold = labels(stack)
    for reference, (_, shipment, code) in shop.bought.items():
        assert sold[reference] == [(shipment, code)]
    for reference, codes in sold.items():
        assert len(codes) <= 1, (reference, codes)
    events = {event["id"] for event in shop.sim.events()}
    assert events and events == {row[0] for row in db(
        "select easypost_id from webhook_events")} & events
    assert_right(db)


def tell(what, **figures):
    print(f"\n{what}: " + ", ".join(
        f"{name} {value:.1f}" if isinstance(value, float)
        else f"{name} {value}" for name, value in figures.items()))


def test_the_disk_is_lost(own, backups):
    """Restored to the latest moment that the backup has, while the shop goes on."""
    seed = int(os.environ.get("TEST_SEED", random.randrange(2 ** 32)))
    chance = random.Random(seed)
    with Shop(own) as shop:
        shop.wait_for(10)
        backups("--type=full", "backup")
        shop.wait_for(chance.randrange(PURCHASES // 2, PURCHASES))
        destroy(own.postgres)
        lost_at = time.time()
        told = len(shop.bought)
        shop.wait_for(5)  # without a database, those without a key go on
        begun = time.monotonic()
        backups("restore")
        restored = time.monotonic()
        open_server(own)
        opened = time.monotonic()
        db = Database(own.database_url)
        lost = {reference: moment for reference, moment
                in missing(db, shop).items() if moment < lost_at}
        shop.wait_for(10)
        shop.close()
    empty_spool(own)
    drained = time.monotonic()
    reconcile(own)
    done = time.monotonic()
    # Who got no answer then asks again; for a minute 409 is one, as the request
    # may still be under way.
    for reference in set(shop.requests) - set(shop.bought):
        if shop.requests[reference][3]:
            wait_until(lambda: shop.insist(reference), 90, "a label")
    # What was bought by its id in the time that is lost, nobody buys once more:
    # there is no claim, and EasyPost refuses; or one that was under way when the
    # log ends, and for a minute it is so, then EasyPost is asked.
    for reference in lost:
        client, path, document, key = shop.requests[reference]
        if path.startswith("/v2/"):
            again = client.post(path, document=document,
                                headers=dict(key or {}))
            assert again.status_code in (200, 409, 422), again.text
    reconcile(own)
    assert_whole(own, db, shop)
    db.close()
    tell("disk lost", seed=seed, archive_timeout_s=TIMEOUT_S, labels_told=told,
         lost_before_reconcile=len(lost), lost_afterwards=0,
         rpo_s=lost_at - min(lost.values(), default=lost_at),
         restore_s=restored - begun, server_open_s=opened - begun,
         spool_empty_s=drained - begun, reconciled_s=done - begun)


def test_a_mistake_is_undone(own, backups):
    """Restored to the moment before a `delete`; what was bought since then is
    asked for once more, and not bought once more."""
    with Shop(own) as shop:
        shop.wait_for(5)
        backups("--type=full", "backup")
        ended = time.time()
        shop.wait_for(10)
        # A backup's end is told in whole seconds, and serves for what is after it.
        wait_until(lambda: time.time() > ended + 1, 5, "the next second")
        db = Database(own.database_url)
        moment = db.one("select now()::text")
        before = set(shop.bought)
        shop.wait_for(5)
        db("delete from shipments where easypost_id = any (%s)",
           [one[1] for one in list(shop.bought.values())])
        shop.wait_for(10)
        shop.close()
    db.close()
    for pool in ("upstream", "jobs"):
        own.stop_pool(pool)
    claims = dump_claims(own)
    begun = time.monotonic()
    own.postgres.stop()
    backups("restore", "--type=time", f"--target={moment}",
            "--target-action=promote")
    open_server(own)
    db = Database(own.database_url)
    lost = missing(db, shop)
    assert not before & set(lost) and lost
    load_claims(own, claims)
    for pool in ("jobs", "upstream"):
        own.service.start(pool)
    empty_spool(own)
    # Everybody asks again for what they were told: with their keys the same is
    # the answer, and without one EasyPost's refusal.
    for reference in shop.bought:
        client, path, document, key = shop.requests[reference]
        again = client.post(path, document=document,
                              headers=dict(key or {}))
        if key:
            shown = again.json()
            shown = shown.get("data", shown)
            assert again.status_code < 300, again.text
            assert shown["id"] == shop.bought[reference][1]
        else:
            assert again.status_code == 422, again.text
            assert again.json()["error"]["code"] == "SHIPMENT.POSTAGE.EXISTS"
    reconcile(own)
    done = time.monotonic()
    assert_whole(own, db, shop)
    db.close()
    tell("mistake undone", labels_told=len(shop.bought),
         lost_before_reconcile=len(lost), lost_afterwards=0,
         reconciled_s=done - begun)


def dump_claims(stack):
    server = stack.postgres
    return run([f"{server.programs}/pg_dump", "--data-only",
                "--table=waybill.idempotency_claims", server.admin_url()],
               directory="/", user=server.user)


def load_claims(stack, claims):
    stack.postgres.psql("truncate waybill.idempotency_claims")
    stack.postgres.psql(claims)
