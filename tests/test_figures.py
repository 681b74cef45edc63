"""The figures are what the shipments say, to the cent, at every moment: whoever
changes them, how ever many at once, and whatever dies meanwhile.

What is right is computed here, in Python, from the rows of shipments: nothing of
the database's own arithmetic is used for it.
"""

import collections
import datetime
import itertools
import math
import os
import random
import subprocess
import threading
import zoneinfo
from decimal import Decimal

import psycopg2
import psycopg2.extras
import pytest

import documents
from env.process import ENVIRONMENT
from env.stack import Stack
from fixtures import simulator
from helpers import (Client, Database, deliver, unique, wait_recorded,
                     wait_until)

CHANGES = int(os.environ.get("TEST_CHANGES", "4000"))
WORKERS = 6
DAY = datetime.timedelta(days=1)
UTC = datetime.timezone.utc

# What is counted where days is 0, and what is counted where days is its own.
REST = ("shipments purchased delivered in_transit failed cancelled on_time "
        "promised cost costed").split()
TIMES = ["seconds", "timed"]
UNDER_WAY = {"pre_transit", "in_transit", "out_for_delivery",
             "available_for_pickup"}
FAILED = {"failure", "error", "return_to_sender"}


# --- what is right --------------------------------------------------------------


def day_of(moment):
    return moment.astimezone(UTC).date()


# Where the shipments of these tests go; to elsewhere nobody knows.
ZONES = {("US", "NV"): ("America/Los_Angeles", "America/Denver"),
         ("AT", None): ("Europe/Vienna",), ("PR", "PR"): ("America/Puerto_Rico",)}
ANYWHERE = ("Etc/GMT+12", "Etc/GMT-14")


def is_on_time(row):
    """By the days of the place where it arrives; None when that is not known."""
    delivered, promised = row["delivered_at"], row["promised_at"]
    if row["status"] != "delivered" or not delivered or not promised:
        return None
    place = row["to_address"] or {}
    answers = set()
    for name in ZONES.get((place.get("country"), place.get("state")), ANYWHERE):
        zone = zoneinfo.ZoneInfo(name)
        day = promised.astimezone(UTC if row["delivery_date"] else zone).date()
        answers.add(delivered.astimezone(zone).date() <= day)
    return answers.pop() if len(answers) == 1 else None


def figures_of(row):
    """What one shipment adds: the key by day, the route, the counts."""
    seconds = days = 0
    if row["status"] == "delivered" and row["delivered_at"] \
            and row["purchased_at"] \
            and row["delivered_at"] >= row["purchased_at"]:
        exact = (row["delivered_at"] - row["purchased_at"]).total_seconds()
        seconds, days = round(exact), max(1, math.ceil(exact / 86400))
    has_cost = row["total_cost"] is not None
    key = (day_of(row["created_at"]), row["mode"], row["carrier"] or "",
           row["service"] or "", row["currency"] or "" if has_cost else "",
           days)
    places = [(row[end] or {}).get(part) or ""
              for end in ("from_address", "to_address")
              for part in ("city", "state", "country")]
    return key, tuple(places), {
        "shipments": 1,
        "purchased": int(row["purchased_at"] is not None),
        "delivered": int(row["status"] == "delivered"),
        "in_transit": int(row["status"] in UNDER_WAY),
        "failed": int(row["status"] in FAILED),
        "cancelled": int(row["status"] in {"cancelled", "canceled"}),
        "on_time": int(is_on_time(row) is True),
        "promised": int(is_on_time(row) is not None),
        "cost": row["total_cost"] if has_cost else Decimal(0),
        "costed": int(has_cost), "seconds": seconds, "timed": int(days > 0)}


class Right:
    """The sums of the shipments that are there."""

    def __init__(self, rows, routes_from):
        self.days = collections.defaultdict(
            lambda: dict.fromkeys(REST + TIMES, 0))
        self.routes = {}
        self.countries = collections.Counter()
        self.spent = collections.Counter()
        for row in rows:
            key, places, counts = figures_of(row)
            self.count(key[:5], key[5], counts)
            date, mode, currency = key[0], key[1], key[4]
            self.countries[date, mode, places[2], places[5], currency] += 1
            self.spent[date, mode, places[2], places[5],
                       currency] += counts["cost"]
            if date >= routes_from:
                route = self.routes.setdefault(
                    (mode, *places, currency), [0] * 5)
                for place, count in enumerate((
                        1, counts["cost"], counts["costed"],
                        counts["timed"], counts["seconds"])):
                    route[place] += count

    def leading(self, mode):
        """The ten routes with most shipments, in all currencies."""
        totals = collections.Counter()
        for key, counts in self.routes.items():
            if key[0] == mode:
                totals[key[1:7]] += counts[0]
        return sorted(totals.items(), key=lambda one: (-one[1], one[0]))[:10]

    def count(self, key, days, counts):
        for name in REST:
            self.days[*key, 0][name] += counts[name]
        for name in TIMES if days else ():
            self.days[*key, days][name] += counts[name]


def dictionaries(db, sql):
    with db.connection.cursor() as cursor:
        cursor.execute(sql)
        names = [column.name for column in cursor.description]
        return [dict(zip(names, row)) for row in cursor.fetchall()]


def assert_right(db):
    """In one snapshot, whatever happens beside it; the number of shipments."""
    db("begin isolation level repeatable read read only")
    try:
        return assert_sums(db)
    finally:
        db("rollback")


def shown_days(db):
    shown = Right([], None)
    for row in dictionaries(db, "select * from daily_figures"):
        key = tuple(row[name] for name in
                    "date mode carrier service currency".split())
        if "timed" in row:
            shown.days[*key, row["days"]] = {
                name: row[name] for name in REST + TIMES}
        else:  # of an older schema, in which all was counted by days
            shown.count(key, row["days"],
                        {**row, "timed": row["shipments"] * (row["days"] > 0)})
    return shown.days


def shown_routes(db, mode):
    return [(tuple(route[end + part] for end in ("from_", "to_")
                   for part in ("city", "state", "country")),
             route["shipment_count"])
            for route in db.one("select top_routes_json(%s)", mode)]


def mode_counts(db):
    """How many shipments there are by what is counted, merged or not."""
    return dict(db(
        "select a.mode, a.shipments + coalesce((select sum(d.shipments) "
        "from shipment_deltas d where d.xid >= a.horizon "
        "and d.mode = a.mode), 0) from analytics_state a"))


def assert_sums(db):
    """As the transaction sees it."""
    start = db("select routes_from from analytics_state limit 1")[0][0]
    rows = dictionaries(db, "select * from shipments "
                            "where deleted_at is null")
    right = Right(rows, start)
    assert shown_days(db) == right.days
    assert db.one("select analytics_mode()") == (
        "test" if {row["mode"] for row in rows} == {"test"} else "production")
    assert {row[:8]: list(row[8:]) for row in db(
        "select mode, from_city, from_state, from_country, to_city, "
        "to_state, to_country, currency, sum(shipments), sum(cost), "
        "sum(costed), sum(delivered), sum(seconds) "
        "from route_figures group by 1, 2, 3, 4, 5, 6, 7, 8 "
        "having sum(shipments) <> 0")} == right.routes
    countries = db(
        "select date, mode, from_country, to_country, currency, "
        "sum(shipments), sum(cost) from country_figures "
        "group by 1, 2, 3, 4, 5 having sum(shipments) <> 0")
    assert {row[:5]: row[5] for row in countries} == right.countries
    assert {row[:5]: row[6] for row in countries} == dict(right.spent)
    if not db.one("select to_regproc('api.dashboard') is not null"):
        return len(rows)  # an older schema has no functions yet
    assert {mode: count for mode, count in mode_counts(db).items() if count} \
        == collections.Counter(row["mode"] for row in rows)
    for mode, days in itertools.product(("test", "production"), (7, 30)):
        ready, anew = db("select api.dashboard(%s, %s)::text, "
                         "dashboard_json(%s, %s)::text",
                         days, mode, mode, days)[0]
        assert ready == anew, (mode, days)
    for mode in ("test", "production"):
        assert shown_routes(db, mode) == right.leading(mode)
    return len(rows)


def refreshed(db, since=None):
    """How many sums were wrong, of each view."""
    return {view: drift for view, _, result, drift in db(
        "select * from refresh_analytics_views(%s)", since)
        if result == "refreshed"}


def operate(own, *words):
    """Status, output and errors of the operator's program."""
    done = subprocess.run(
        [os.path.join(own.build, "waybill"), "-c", own.conf_file, *words],
        capture_output=True, text=True, check=False, timeout=60,
        env=ENVIRONMENT)
    return done.returncode, done.stdout, done.stderr


VIEWS = ("mv_daily_shipment_analytics", "mv_carrier_performance",
         "mv_top_routes")


# --- a database that everybody changes ----------------------------------------------


@pytest.fixture(scope="module")
def own(tmp_path_factory):
    with Stack(tmp_path_factory.mktemp("figures"), conf={
            "WORKERS": "6", "WORKERS_OVERFLOW": "0"}) as one:
        one.sim_control = simulator(one)
        yield one


@pytest.fixture
def own_db(own):
    found = Database(own.database_url)
    yield found
    found.close()


CITIES = [{"city": "Reno", "state": "NV", "country": "US"},
          {"city": "Wien", "state": None, "country": "AT"},
          {"city": "San Juan", "state": "PR", "country": "PR"},
          {"city": None, "country": None}, {}, None]


class Changer:
    """All kinds of changes of shipments, by one connection."""

    def __init__(self, url, seed):
        self.url, self.dice = url, random.Random(seed)
        self.db = None
        self.mine = []

    def values(self):
        dice = self.dice
        created = (datetime.datetime.now(UTC)
                   - DAY * dice.choice([0, 0, 1, 3, 30, 89, 90, 91, 400])
                   - datetime.timedelta(seconds=dice.randrange(86400)))
        bought = dice.choice([None, created, created + DAY / 3])
        arrived = dice.choice([None, bought and bought + DAY
                               * dice.choice([0, 0.3, 1, 2.5, 2.9, 3.1, 9]),
                               created - DAY])
        return {
            "status": dice.choice([
                "unknown", "pre_transit", "in_transit", "out_for_delivery",
                "available_for_pickup", "delivered", "failure", "error",
                "return_to_sender", "cancelled", "canceled",
                "from_the_future"]),
            "created_at": created, "purchased_at": bought,
            "delivered_at": arrived,
            "promised_at": dice.choice([None, created + DAY * 3]),
            "delivery_date": dice.choice([None, created + DAY * 3]),
            "mode": dice.choice(["test", "production", "production"]),
            "carrier": dice.choice([None, "USPS", "FedEx", "USPS"]),
            "service": dice.choice([None, "Ground", "Priority"]),
            "total_cost": dice.choice([None, Decimal("7.58"), Decimal("0.1"),
                                       Decimal("1234567.891")]),
            "currency": dice.choice([None, "USD", "USD", "EUR"]),
            "from_address": psycopg2.extras.Json(dice.choice(CITIES)),
            "to_address": psycopg2.extras.Json(dice.choice(CITIES)),
            "deleted_at": dice.choice([None, None, None, created])}

    def change(self):
        dice, kind = self.dice, self.dice.random()
        if kind < 0.3 or not self.mine:
            values = self.values()
            row = self.db.one(
                f"insert into shipments ({', '.join(values)}) values "
                f"({', '.join('%s' for _ in values)}) returning id",
                *values.values())
            self.mine.append(row)
        elif kind < 0.35:
            rows = self.db(
                "insert into shipments (carrier, service, total_cost, "
                "currency, created_at) select 'UPS', 'Ground', n, 'USD', "
                "now() - n * interval '7 hours' "
                "from generate_series(1, %s) n returning id",
                dice.randrange(2, 40))
            self.mine += [row[0] for row in rows]
        elif kind < 0.4:
            self.db("delete from shipments where id = %s",
                    self.mine.pop(dice.randrange(len(self.mine))))
        elif kind < 0.5:
            self.db("update shipments set status = 'delivered', delivered_at "
                    "= now() where id = any(%s::uuid[])",
                    dice.sample(self.mine, min(20, len(self.mine))))
        else:
            values = self.values()
            some = dice.sample(list(values), dice.randrange(1, 5))
            self.db(f"update shipments set "
                    f"{', '.join(name + ' = %s' for name in some)} "
                    f"where id = %s", *[values[name] for name in some],
                    dice.choice(self.mine))

    def run(self, changes):
        """What a dying server has not said yes to may be there or not."""
        for _ in range(changes):
            try:
                if self.db is None:
                    self.db = Database(self.url)
                self.db("begin")
                for _ in range(self.dice.choice([1, 1, 1, 3])):
                    self.change()
                self.db("commit" if self.dice.random() < 0.95 else "rollback")
            except psycopg2.IntegrityError:
                self.db("rollback")
            except (psycopg2.DatabaseError, psycopg2.InterfaceError):
                self.db = None
                wait_until(self.is_there, 60, "the server's return")

    def is_there(self):
        try:
            Database(self.url).close()
            return True
        except psycopg2.OperationalError:
            return False


def change_all(own, changes, seed):
    """Many at once, while `waybill jobs` merges; fails with the first failure."""
    failures = []

    def work(number):
        try:
            Changer(own.database_url, seed + number).run(changes // WORKERS)
        except BaseException as error:
            failures.append(error)
            raise

    threads = [threading.Thread(target=work, args=(number,))
               for number in range(WORKERS)]
    for thread in threads:
        thread.start()
    return threads, failures


def finish(threads, failures):
    for thread in threads:
        thread.join()
    assert failures == []


@pytest.mark.timeout(180 + CHANGES // 50)
def test_whatever_changes_the_figures_are_right(own, own_db):
    """At every look while it goes on, after a crash in the middle, merged and
    not; the comparison that repairs finds nothing to repair."""
    seed = random.randrange(2 ** 32)
    print("seed", seed)
    threads, failures = change_all(own, CHANGES // 2, seed)
    counts = [assert_right(own_db)]
    while any(thread.is_alive() for thread in threads):
        counts.append(assert_right(own_db))
    finish(threads, failures)
    assert counts[-1] > counts[0]
    own_db("checkpoint")  # or all of the first half would be replayed
    threads, failures = change_all(own, CHANGES // 2, seed + 100)
    assert_right(own_db)
    own.postgres.crash()
    own.postgres.start()
    again = Database(own.database_url)
    while any(thread.is_alive() for thread in threads):
        assert_right(again)
    finish(threads, failures)
    assert_right(again)
    wait_until(lambda: again.one("select count(*) from shipment_deltas") == 0,
               30, "nothing unmerged")
    assert assert_right(again) > 0
    assert refreshed(again, "2000-01-01") == {
        "mv_daily_shipment_analytics": 0, "mv_carrier_performance": None,
        "mv_top_routes": 0}
    quick = refreshed(again)
    assert quick["mv_daily_shipment_analytics"] == 0
    assert quick["mv_carrier_performance"] is None  # the same sums
    again.close()


def test_older_days_are_compared_in_turn(own, own_db):
    """One each hour, from the first day that there is."""
    def wrong():
        return {row[0] for row in own_db(
            "select date from shipment_days where carrier = 'Old' and costed > 0")}

    def moment():
        return own_db("select date_part('epoch', now())::bigint / 3600, "
                      "(now() at time zone 'UTC')::date")[0]

    own.stop_pool("jobs")
    try:
        own_db("insert into shipments (created_at, carrier) select now() - "
               "n * interval '1 day', 'Old' from generate_series(90, 450) n")
        own_db("select merge_figures()")
        refreshed(own_db, "2000-01-01")
        own_db("update shipment_days set costed = 1 where carrier = 'Old'")
        before = wrong()
        assert len(before) == 361
        moments = [moment()]
        assert refreshed(own_db)["mv_daily_shipment_analytics"] == 1
        moments.append(moment())
        (day,) = before - wrong()
        assert day in {
            today - DAY * (90 + hour % ((today - min(before)).days - 89))
            for hour, today in moments}
    finally:
        refreshed(own_db, "2000-01-01")
        own.start_pool("jobs")
    assert_right(own_db)


@pytest.mark.parametrize("view, key", [
    ("mv_daily_shipment_analytics", "date, carrier, service"),
    ("mv_carrier_performance", "carrier, service"),
    ("mv_top_routes", "from_city, from_state, from_country, to_city, "
     "to_state, to_country"),
    ("carrier_performance", "date, carrier, service, mode, currency"),
    ("carrier_performance", "id"),
    ("analytics_summaries", "date, period, mode, currency"),
    ("analytics_summaries", "id"), ("shipment_metrics", "shipment_id")])
def test_keys_of_the_views(own_db, view, key):
    """A view has no index that would see to it."""
    assert own_db.one(f"select count(*) from {view}") > 0
    assert own_db(f"select {key} from {view} group by {key} "
                  "having count(*) > 1") == []
    assert own_db(f"select {key} from {view} "
                  f"where num_nulls({key}) > 0") == []


def test_periods_add_up(own_db):
    """Days, weeks and months are the same shipments, each its own sum."""
    sums = {row[0]: row[1:] for row in own_db(
        "select period, sum(total_shipments), sum(total_cost), "
        "sum(successful_shipments), sum((domestic_vs_international ->> "
        "'domestic')::bigint) from analytics_summaries group by period")}
    assert set(sums) == {"daily", "weekly", "monthly"}
    assert sums["daily"] == sums["weekly"] == sums["monthly"]
    assert sums["daily"][:2] == own_db(
        "select count(*), sum(total_cost) from shipments "
        "where deleted_at is null")[0]
    assert own_db.one(
        "select bool_and(extract(isodow from date) = 1) from "
        "analytics_summaries where period = 'weekly'")
    assert own_db.one(
        "select sum(total_shipments) from carrier_performance") == own_db.one(
        "select count(*) from shipments where deleted_at is null "
        "and carrier is not null")


def test_a_rebuild_leaves_them_right(own, own_db):
    own.waybill("rebuild")
    assert_right(own_db)


def merge(db, taken):
    """As merge_figures does it, but for the horizon."""
    db("select merge_days(%s), merge_countries(%s), merge_routes(%s)",
       taken, taken, taken)
    db("update analytics_state a set shipments = a.shipments + coalesce(("
       "select sum(d.shipments) from shipment_deltas d where d.mode = a.mode "
       "and pg_visible_in_snapshot(d.xid, %s)), 0)", taken)
    db("delete from shipment_deltas where pg_visible_in_snapshot(xid, %s)", taken)
    db("update dashboards set since = '-infinity'")


def merge_own(db):
    """Of a transaction that has not ended, which is nobody's business else."""
    merge(db, db.one("select x || ':' || x || ':' from (select "
                     "pg_current_xact_id()::text::numeric + 1 as x) n"))
    assert db.one("select count(*) from shipment_deltas") == 0


def test_what_has_piled_up_is_merged_in_parts(own, own_db):
    """Transactions that go on meanwhile are left for later, and one that alone is
    more than a part is taken whole."""
    others = [Database(own.database_url) for _ in range(3)]
    for other in others:
        other("begin")
        other("insert into shipments (carrier) values ('Slow')")
    own_db("begin; select pg_advisory_xact_lock("
           "hashtextextended('waybill.merge', 0))")
    for number in range(40):
        others[2]("insert into shipments (carrier, total_cost, currency) "
                  "select 'Piled', 1, 'USD' from generate_series(1, 3)")
        ended = Database(own.database_url)
        ended("insert into shipments (carrier, total_cost, currency) "
                  "select 'Piled', 2, 'EUR' from generate_series(1, %s)",
                  1 + number % 7)
        ended.close()
    others[0]("commit")
    left = own_db.one("select count(*) from shipment_deltas")
    while left > 0:
        taken = own_db.one("select first_notes(5)")
        merge(own_db, taken)
        own_db("update analytics_state set horizon = pg_snapshot_xmin(%s)",
               taken)
        assert_sums(own_db)
        now_left = own_db.one("select count(*) from shipment_deltas")
        assert now_left < left
        left = now_left
    own_db("commit")
    others[1]("rollback")
    others[2]("commit")
    for other in others:
        other.close()
    assert_right(own_db)


def test_a_part_has_no_more_than_what_has_ended(own, own_db):
    """Notes out of a dump get the number of who merges them, which may be greater
    than that of somebody who goes on and of whom he knows nothing yet."""
    other = Database(own.database_url)
    own.stop_pool("jobs")
    try:
        own_db("select merge_figures()")
        other("begin")
        number = other.one("select pg_current_xact_id()::text")
        own_db("begin; insert into shipments (carrier) values ('Dumped')")
        assert not own_db.one(
            "select pg_visible_in_snapshot(%s::xid8, first_notes(0))", number)
        own_db("rollback")
        other("rollback")
    finally:
        own.start_pool("jobs")
    other.close()


# --- what was broken by hand is found ------------------------------------------------


@pytest.mark.parametrize("damage, view", [
    ("update shipment_days set cost = cost + 0.01 where ctid = "
     "(select ctid from shipment_days where shipments > 0 limit 1)", "mv_daily_shipment_analytics"),
    ("delete from shipment_days where date > now() - interval '80 days'",
     "mv_daily_shipment_analytics"),
    ("update country_days set shipments = shipments - 1 where ctid = "
     "(select ctid from country_days where shipments > 0 limit 1)", "mv_daily_shipment_analytics"),
    ("insert into shipment_days select current_date, 'test', 'Ghost', '', "
     "'USD', 0, 3, 0, 0, 0, 0, 0, 0, 0, 1.0, 1, 0, 0",
     "mv_daily_shipment_analytics"),
    ("update analytics_state set shipments = shipments + 1", "mv_daily_shipment_analytics"),
    ("update recent_routes set cost = cost + 1 where ctid = "
     "(select ctid from recent_routes where shipments > 0 limit 1)", "mv_top_routes"),
    ("delete from recent_routes", "mv_top_routes")])
def test_drift_is_found_and_repaired(own, own_db, damage, view):
    own_db("insert into shipments (carrier, total_cost, currency, from_address, "
           "to_address) select 'Drift', 1, 'USD', %s, %s",
           *map(psycopg2.extras.Json, CITIES[:2]))
    wait_until(lambda: own_db.one("select count(*) from shipment_deltas") == 0,
               30, "nothing unmerged")
    assert_right(own_db)
    own_db(damage)
    with pytest.raises(AssertionError):
        assert_right(own_db)
    found = refreshed(own_db, "2000-01-01")
    assert found.pop(view) > 0
    assert not any(found.values())
    assert_right(own_db)
    assert not any(refreshed(own_db, "2000-01-01").values())


def test_what_is_dated_far_ahead_is_no_drift(own, own_db):
    """A clock that was wrong, in a document."""
    own_db("insert into shipments (carrier, created_at) "
           "values ('Ahead', '2099-12-31'), ('Ahead', now() + interval '401 days')")
    wait_until(lambda: own_db.one("select count(*) from shipment_deltas") == 0,
               30, "a merge")
    assert not any(refreshed(own_db, "2000-01-01").values())
    assert_right(own_db)
    own_db("delete from shipments where carrier = 'Ahead'")
    assert not any(refreshed(own_db, "2000-01-01").values())
    assert_right(own_db)


def is_done_or_waits(db, thread, words):
    return not thread.is_alive() or db.one(
        "select count(*) from pg_stat_activity where wait_event_type = 'Lock' "
        "and query like %s and pid <> pg_backend_pid()", f"%{words}%") > 0


def in_background(own, sql, *values):
    """A thread that asks it, and what it will have been told."""
    told = []

    def ask():
        db = Database(own.database_url)
        told.append(db(sql, *values))
        db.close()

    thread = threading.Thread(target=ask)
    thread.start()
    return thread, told


def test_a_repair_and_a_merge_do_not_wait_for_each_other(own, own_db):
    """The sum that is repaired changes meanwhile: of the two none dies."""
    def deadlocks():
        own_db("select pg_stat_force_next_flush()")
        return own_db.one("select deadlocks from pg_stat_database "
                          "where datname = current_database()")

    carrier, before = unique("Hot")[:20], deadlocks()
    add = "insert into shipments (carrier) values (%s)"
    own_db(add, carrier)
    wait_until(lambda: own_db.one("select count(*) from shipment_days "
                                  "where carrier = %s", carrier), 30, "a merge")
    own_db("update shipment_days set cost = cost + 1 where carrier = %s",
           carrier)
    holder = Database(own.database_url)
    holder("begin; lock table refresh_history in share mode")
    refresh, refreshing = in_background(
        own, "select view, result, drift from refresh_analytics_views(%s)",
        "2000-01-01")
    wait_until(lambda: is_done_or_waits(own_db, refresh, "refresh_analytics"),
               30, "the repair")
    own_db(add, carrier)
    merge, merging = in_background(own, "select merge_figures()")
    wait_until(lambda: is_done_or_waits(own_db, merge, "merge_figures"), 30,
               "the merge")
    holder("rollback")
    for thread in (refresh, merge):
        thread.join()
    holder.close()
    assert refreshing and merging
    assert refreshing[0][0] == ("mv_daily_shipment_analytics", "refreshed", 1)
    assert deadlocks() == before
    assert_right(own_db)


def test_a_view_that_is_broken_off_takes_no_other_along(own, own_db):
    """What was compared and repaired before stays, and is written down."""
    own_db("insert into shipments (carrier) values (%s)", unique("Broken")[:20])
    wait_until(lambda: own_db.one("select count(*) from shipment_deltas") == 0,
               30, "a merge")
    own_db("update shipment_days set cost = cost + 5 where ctid = (select "
           "ctid from shipment_days where shipments > 0 limit 1)")
    before = own_db.one("select count(*) from refresh_history")
    whole = own_db.one("select pg_get_functiondef("
                       "'waybill.check_routes(date, date)'::regprocedure)")
    own_db("create or replace function waybill.check_routes(p_first date, "
           "p_last date) returns bigint language sql as "
           "'select 0::bigint from pg_sleep(60)'")
    told = []
    thread = threading.Thread(target=lambda: told.append(
        operate(own, "refresh", "--since", "2000-01-01")))
    asleep = "from pg_stat_activity where wait_event = 'PgSleep'"
    try:
        thread.start()
        wait_until(lambda: own_db.one("select count(*) " + asleep), 30,
                   "the routes' turn")
        own_db("select pg_cancel_backend(pid) " + asleep)
        thread.join()
    finally:
        own_db(whole)
    status, said, log = told[0]
    assert status == 1
    assert "mv_daily_shipment_analytics refreshed" in said and "DRIFT" in said
    assert "mv_top_routes: " in log and "57014" in log
    assert own_db.one("select count(*) from refresh_history") == before + 2
    assert_right(own_db)


@pytest.mark.parametrize("busy", VIEWS)
def test_a_view_that_is_refreshed_elsewhere_is_left_alone(own, own_db, busy):
    """And the others are refreshed nevertheless."""
    holder = Database(own.database_url)
    holder("begin; select pg_advisory_xact_lock(hashtext('waybill.refresh'), "
           "hashtext(%s))", busy)
    known = own_db.one("select max(started_at) from refresh_history")
    status, said, _ = operate(own, "refresh")
    holder("rollback")
    holder.close()
    wanted = {view: "skipped" if view == busy else "refreshed"
              for view in VIEWS}
    assert status == 0
    assert dict(own_db("select view_name, result from refresh_history where "
                       "%s is null or started_at > %s", known, known)) == wanted
    for view, result in wanted.items():
        assert f"{view} {result}" in said
    assert set(refreshed(own_db)) == set(VIEWS)


def test_the_operator_is_told_of_drift(own, own_db):
    own_db("update shipment_days set cost = cost + 5 where ctid = (select "
           "ctid from shipment_days where shipments > 0 limit 1)")
    status, said, log = operate(own, "refresh", "--since", "2000-01-01")
    assert status == 1
    assert "mv_daily_shipment_analytics refreshed" in said
    assert "DRIFT" in said and "refresh.drift" in log
    status, said, _ = operate(own, "refresh", "--since", "2000-01-01")
    assert status == 0 and said.count("no drift") == 2
    text = Client(own, own.key).get("/metrics").text
    assert 'waybill_view_drift{view="mv_daily_shipment_analytics"} 0' not in \
        text
    assert 'waybill_view_drift{view="mv_top_routes"}' in text


@pytest.mark.parametrize("words", [
    ("--since",), ("--since", "x"), ("--since", "2026-02-30"), ("today",),
    ("--until", "2026-01-01")])
def test_wrong_words_to_refresh(own, words):
    status, said, log = operate(own, "refresh", *words)
    assert status != 0
    assert "usage" in log or "--since" in log, (said, log)


# --- the window moves -----------------------------------------------------------------


def test_what_is_older_than_90_days_leaves_the_routes(own, own_db):
    """The day changes: played by a window that begins earlier."""
    city = unique("Old")[:20]
    own_db("""
        begin;
        select pg_advisory_xact_lock(hashtextextended('waybill.merge', 0));
        update analytics_state set routes_from = routes_from - 3;
        select check_routes(current_date - 92, current_date + 400);
        commit""")
    address = psycopg2.extras.Json({"city": city})
    for days in (89, 90, 91, 92):
        own_db("insert into shipments (created_at, from_address, mode) values "
               "(date_trunc('day', now(), 'UTC') - %s * interval '1 day', %s,"
               " 'production')", days, address)
    wait_until(lambda: own_db.one(
        "select min(routes_from) = (now() at time zone 'UTC')::date - 89 "
        "from analytics_state"), 30, "the window to move")
    assert_right(own_db)
    assert own_db.one("select sum(shipments) from route_figures "
                      "where from_city = %s", city) == 1
    own_db("delete from shipments where from_address ->> 'city' = %s", city)
    assert_right(own_db)


def test_what_is_made_ready_is_of_the_day_that_has_begun(own, own_db):
    """Between a merge and the answers that follow it a day may begin."""
    city = unique("Night")[:20]
    own.stop_pool("jobs")
    try:
        own_db("insert into shipments (created_at, from_address, mode) select "
               "date_trunc('day', now(), 'UTC') - interval '90 days', %s, "
               "'production' from generate_series(1, 5000)",
               psycopg2.extras.Json({"city": city}))
        own_db("select merge_figures()")
        own_db("""
            begin;
            select hold_merges();
            update analytics_state set routes_from = routes_from - 1;
            select check_routes(current_date - 90, current_date + 400);
            update dashboards set since = '-infinity';
            commit""")
        assert city in own_db.one("select top_routes_json('production')::text")
        own_db("select make_dashboards()")
        own_db("select merge_figures()")
        assert_right(own_db)
        assert own_db.one("select count(*) from dashboards "
                          "where body::text like %s", f"%{city}%") == 0
    finally:
        own_db("delete from shipments where from_address ->> 'city' = %s", city)
        own.start_pool("jobs")
    assert_right(own_db)


def test_no_answer_is_made_ready_that_nobody_would_get(own, own_db):
    """While others write there are notes again before it is: to make it each second
    would slow them down, for nothing."""
    ready = ("select count(*) from dashboards where mode = 'production' and "
             "since > '-infinity'")
    own.stop_pool("jobs")
    try:
        own_db("insert into shipments (mode) values ('production')")
        own_db("select merge_figures()")
        own_db("insert into shipments (mode) values ('production')")
        own_db("select make_dashboards()")
        assert own_db.one(ready) == 0
        own_db("select merge_figures()")
        own_db("insert into shipments (mode) values ('test')")
        own_db("select make_dashboards()")
        assert own_db.one(ready) == 3
    finally:
        own.start_pool("jobs")
    assert_right(own_db)


def test_a_horizon_of_another_cluster_hides_nothing_for_long(own, own_db):
    """A dump carries the transactions' numbers of the cluster it was made in."""
    own_db("update analytics_state set horizon = '1000000000'")
    own_db("insert into shipments (mode) values ('test')")
    wait_until(lambda: own_db.one(
        "select max(horizon) < '1000000000' from analytics_state"), 30,
        "the horizon to come back")
    assert_right(own_db)


# --- at once, by the front door --------------------------------------------------------


def test_an_event_counts_with_its_answer(own, own_db):
    """Never stale: what was answered is in the figures, merged or not."""
    client = Client(own, own.key_production)
    carrier = unique("Now")[:20]
    bought = documents.shipment(bought=True, carrier=carrier, price="5.00",
                                mode="production")
    path = "/v2/" + unique("figures_")
    own.sim_control.canned("POST", path, bought)
    assert client.post(path).status_code == 200

    def shown():
        wait_recorded(own)
        return own_db("select total_shipments, total_cost, delivered_count "
                      "from mv_carrier_performance where carrier = %s",
                      carrier)

    assert shown() == [(1, Decimal("5.00"), 0)]
    tracker = dict(bought["tracker"], status="delivered",
                   updated_at=documents.at(minutes=1), tracking_details=[
                       documents.detail(1, "delivered", "Door")])
    assert deliver(Client(own), documents.event(
        "tracker.updated", tracker)).status_code == 200
    assert shown() == [(1, Decimal("5.00"), 1)]


def test_a_record_that_has_to_wait_holds_up_no_merge(own, own_db):
    """Somebody holds the lock that one record of the spool needs, for long."""
    known = documents.tracker([documents.detail(1, "in_transit", "Moved")])
    assert deliver(Client(own), documents.event(
        "tracker.updated", known)).status_code == 200
    wait_recorded(own)
    holder = Database(own.database_url)
    holder("begin; select 1 from trackers where easypost_id = %s for update",
           known["id"])
    assert deliver(Client(own), documents.event("tracker.updated", dict(
        known, status="delivered", updated_at=documents.at(9)))
    ).status_code == 200
    own_db("insert into shipments (carrier) values (%s)", unique("Held")[:20])
    wait_until(lambda: own_db.one("select count(*) from shipment_deltas") == 0,
               20, "a merge")
    assert os.listdir(os.path.join(own.spool_dir, "new"))
    holder("rollback")
    holder.close()
    wait_until(lambda: own_db.one("select status from trackers where "
                                  "easypost_id = %s", known["id"])
               == "delivered", 30, "the event that had to wait")


def test_a_full_spool_holds_up_no_merge(own, own_db):
    """What is written meanwhile is merged while the spool is brought in."""
    place = os.path.join(own.spool_dir, "new")
    own.postgres.freeze()
    try:
        # One by one, as a shop sends them; the breaker opens with the second.
        for _ in range(300):
            assert deliver(Client(own), documents.event(
                "tracker.updated", documents.tracker())).status_code == 200
        waiting = len(os.listdir(place))
    finally:
        own.stop_pool("jobs")
        own.postgres.thaw()
    assert waiting >= 299
    # Each takes a tenth of a second.
    own_db("create function waybill.slow() returns trigger language plpgsql as "
           "'begin perform pg_sleep(0.1); return null; end'")
    own_db("create trigger slow after insert on webhook_event_ids "
           "for each row execute function waybill.slow()")
    try:
        own.start_pool("jobs")
        wait_until(lambda: len(os.listdir(place)) < waiting, 20, "the drain")
        own_db("insert into shipments (carrier) values (%s)",
               unique("Meanwhile")[:20])
        wait_until(
            lambda: own_db.one("select count(*) from shipment_deltas") == 0,
            20, "a merge")
        assert os.listdir(place)
    finally:
        own_db("drop function waybill.slow() cascade")
    wait_recorded(own)


# --- no more than is known ----------------------------------------------------------------


@pytest.mark.parametrize("country, state, delivered, expected", [
    ("US", "CA", "2026-03-04 07:59", True),  # 23:59 on the third
    ("us", "ca", "2026-03-04 08:00", False),
    ("JP", None, "2026-03-03 14:59", True),
    ("JP", "13", "2026-03-03 15:00", False),  # the fourth has begun there
    ("US", None, "2026-03-04 04:59", True),  # east and west agree
    ("US", "Oz", "2026-03-04 05:00", None),  # and do not
    ("US", None, "2026-03-04 10:00", False),
    ("US", "TX", "2026-03-04 06:30", None),
    (None, None, "2026-03-03 09:59", True),
    (None, None, "2026-03-03 10:00", None),
    ("??", "CA", "2026-03-04 11:59", None),
    (None, None, "2026-03-04 12:00", False)])
def test_on_time_is_by_the_day_where_it_arrives(own_db, country, state,
                                                delivered, expected):
    assert own_db.one(
        "select is_on_time(%s, '2026-03-03 23:00', true, %s, %s)", delivered,
        country, state) is expected


@pytest.mark.parametrize("delivered, expected", [
    ("2026-03-04 04:00", True), ("2026-03-04 07:59", True),
    ("2026-03-04 08:00", False)])
def test_so_many_days_after_the_purchase_end_with_a_day(own_db, delivered,
                                                        expected):
    """Bought in an evening of California, which is the next day in UTC."""
    assert own_db.one("select is_on_time(%s, timestamptz '2026-03-01 02:00' + "
                      "interval '3 days', false, 'US', 'CA')",
                      delivered) is expected


def test_the_zones_are_known_to_postgresql(own_db):
    """And all states are there: 51 with D.C., five territories, three of the army's."""
    assert own_db(
        "select z.key, n.name from jsonb_each(time_zones()) z cross join "
        "jsonb_array_elements_text(z.value) n (name) where n.name not in ("
        "select name from pg_timezone_names)") == []
    assert own_db.one("select count(*) from jsonb_object_keys(time_zones()) k"
                      " where k like 'US-__'") == 51 + 5 + 3


def test_what_becomes_of_a_shipment_is_one_note(own_db):
    """Two only where it is another one by what the sums are by, or arrived twice."""
    carrier = unique("Notes")[:20]
    own_db("begin")
    try:
        own_db("insert into shipments (carrier) values (%s)", carrier)
        counts = []
        for change in ("status = 'pre_transit'", "status = 'in_transit'",
                       "purchased_at = now() - interval '3 days'",
                       "promised_at = now()",
                       "status = 'delivered', delivered_at = now()",
                       "delivered_at = now() - interval '2 days'",
                       "status = 'failure'", "reference = 'none'",
                       "total_cost = 7, currency = 'USD'", "total_cost = 8",
                       "from_address = '{\"country\": \"US\"}'",
                       "deleted_at = now()", "status = 'error'"):
            own_db(f"update shipments set {change} where carrier = %s", carrier)
            counts.append(own_db.one(
                "with noted as (delete from shipment_deltas where carrier = %s "
                "and xid = pg_current_xact_id() returning 1) "
                "select count(*) from noted", carrier))
        # the first has the note of the new one as well
        assert counts == [2, 0, 1, 1, 1, 2, 1, 0, 2, 1, 2, 1, 0]
    finally:
        own_db("rollback")


def test_a_route_leads_by_all_of_its_currencies(own_db):
    """Merged, and not: though none of its rows is among the greatest."""
    def insert(city, currency, number):
        own_db("insert into shipments (total_cost, currency, from_address, "
               "to_address) select case when %s is not null then 5 end, %s::text, "
               "'{\"city\": \"Lead\"}', json_build_object('city', %s::text) "
               "from generate_series(1, %s)", currency, currency, city, number)

    own_db("begin; truncate shipments cascade")
    try:
        for number in range(31):
            insert(f"Town {number:02}", "USD", 6)
        for currency in ("USD", "EUR", None):
            insert("Busiest", currency, 3)
        insert("Late", "USD", 9)
        for _ in range(2):
            assert [key[3] for key, _ in shown_routes(own_db, "production")] == [
                "Busiest", "Late"] + [f"Town {number:02}" for number in range(8)]
            assert assert_sums(own_db) == 31 * 6 + 18
            merge_own(own_db)
        own_db("update shipments set deleted_at = now() "
               "where to_address ->> 'city' = 'Late'")
        insert("Town 30", "CAD", 3)
        assert [key[3] for key, _ in shown_routes(own_db, "production")][:3] == [
            "Busiest", "Town 30", "Town 00"]
        assert_sums(own_db)
    finally:
        own_db("rollback")


def test_the_currencies_of_routes_are_told_without_them(own_db):
    """What a shop sends to has no bound: to look at each route took long."""
    before = own_db.one("select greatest(count(distinct currency), 1) "
                        "from recent_routes where mode = 'production'")
    try:
        own_db("insert into shipments (carrier, total_cost, currency, to_address) "
               "select 'Many', 5, (array['JPY', 'SEK'])[1 + n % 2], "
               "json_build_object('city', 'Town ' || n) from generate_series(1, 4000) n")
        wait_until(lambda: own_db.one("select count(*) from shipment_deltas") == 0,
                   30, "nothing unmerged")
        assert own_db.one("select route_currencies('production')") >= before + 1
        own_db("vacuum analyze country_days")
        for _ in range(3):  # the first ones read the catalog, too
            read = own_db.one("explain (analyze, buffers, format json) "
                              "select route_currencies('production')")[0]["Plan"]
        pages = own_db.one("select pg_relation_size('recent_routes') / 8192")
        assert read["Shared Hit Blocks"] + read["Shared Read Blocks"] < pages / 3
    finally:
        own_db("delete from shipments where carrier = 'Many'")


def test_few_routes_are_read_to_find_those_that_lead(own_db):
    """Of whatever number there are."""
    wait_until(lambda: own_db.one("select count(*) from shipment_deltas") == 0,
               30, "nothing unmerged")
    own_db("begin; truncate country_days, recent_routes")
    try:
        own_db("insert into recent_routes select 'production', 'Hub', '', 'US', "
               "'Town ' || n, '', 'US', 'USD', 20000 / n, 0, 0, 0, 0 "
               "from generate_series(1, 20000) n")
        own_db("analyze recent_routes")
        counts = []
        for _ in range(8):  # the plan for any mode comes after the fifth
            counts.append(own_db.one(
                "select seq_tup_read + idx_tup_fetch from pg_stat_xact_user_tables "
                "where relid = 'waybill.recent_routes'::regclass"))
            own_db("select leading_routes('production')")
        read = [after - before for before, after in zip(counts, counts[1:])]
        assert max(read) < 20000 / 10, read
    finally:
        own_db("rollback")


def test_nothing_is_left_when_all_are_truncated(own_db):
    own_db("insert into shipments (carrier) values ('Gone')")
    own_db("begin; truncate shipments cascade")
    try:
        assert assert_sums(own_db) == 0
        own_db("insert into shipments (carrier) values ('New')")
        assert assert_sums(own_db) == 1
    finally:
        own_db("rollback")
    assert assert_right(own_db) > 0


def test_who_truncates_and_who_makes_answers_do_not_wait_for_each_other(own, own_db):
    """He has the table already, and asks for the lock of merging last."""
    own.stop_pool("jobs")
    try:
        own_db("update dashboards set since = '-infinity'")
        holder = Database(own.database_url)
        holder("begin; lock table shipments in access exclusive mode")
        making, made = in_background(own, "select make_dashboards()")
        wait_until(lambda: is_done_or_waits(own_db, making, "make_dashboards"),
                   30, "the answers")
        holder("truncate shipments cascade")
        holder("rollback")
        holder.close()
        making.join()
        assert made
    finally:
        own.start_pool("jobs")
    assert_right(own_db)


def test_a_ready_answer_reads_nothing_of_what_was_merged(own, own_db):
    """However much of it there was since the last vacuum."""
    own_db("alter table shipment_deltas set (autovacuum_enabled = off)")
    try:
        own_db("insert into shipments (carrier) select 'Many' "
               "from generate_series(1, 5000)")
        wait_until(lambda: own_db.one(
            "select (select count(*) from shipment_deltas) = 0 "
            "and pg_relation_size('shipment_deltas') / 8192 > 60 "
            "and api.dashboard(30, null)::text = (select body::text "
            "from dashboards where mode = 'production' and days = 30)"),
            30, "the ready answer")
        for _ in range(3):  # the first ones read the catalog, too
            read = own_db.one("explain (analyze, buffers, format json) "
                              "select api.dashboard(30, null)")[0]["Plan"]
        assert read["Shared Hit Blocks"] + read["Shared Read Blocks"] < 40
    finally:
        own_db("alter table shipment_deltas reset (autovacuum_enabled)")
        own_db("delete from shipments where carrier = 'Many'")


def test_only_test_is_counted_where_nothing_else_is(own_db):
    """At once, by whatever has not been merged."""
    def modes():
        return own_db.one("select analytics_mode()"), mode_counts(own_db)

    own_db("insert into shipments (mode) values ('test'), ('production')")
    own_db("begin")
    try:
        counts = dict(own_db("select mode, count(*) from shipments "
                             "where deleted_at is null group by mode"))
        assert modes() == ("production", counts)
        own_db("update shipments set deleted_at = now() where mode = 'production'")
        assert modes() == ("test", {**counts, "production": 0})
        own_db("delete from shipments where mode = 'test'")
        assert modes() == ("production", {"test": 0, "production": 0})
        own_db("insert into shipments (mode) values ('test')")
        assert modes() == ("test", {"test": 1, "production": 0})
        own_db("insert into shipments (mode) values ('production')")
        assert modes() == ("production", {"test": 1, "production": 1})
    finally:
        own_db("rollback")


def test_views_have_percentiles(own_db):
    carrier = unique("Days")[:20]
    own_db("insert into shipments (carrier, status, purchased_at, delivered_at, "
           "mode) select %s, 'delivered', now() - n * interval '1 day', now(), "
           "'production' from unnest(array[1, 1, 2, 2, 2, 3, 4, 5, 6, 9]) n",
           carrier)
    for view in ("mv_daily_shipment_analytics", "mv_carrier_performance",
                 "carrier_performance"):
        assert own_db("select delivery_days_p50, delivery_days_p90 "
                      f"from {view} where carrier = %s",
                      carrier) == [(2, 6)], view
    for p50, p90, sample in own_db(
            "select delivery_days_p50, delivery_days_p90, delivery_days_sample "
            "from analytics_summaries where mode = 'production'"):
        assert (p50 is None) == (p90 is None) == (sample == 0)
        assert sample == 0 or 1 <= p50 <= p90
    assert own_db.one(
        "select min_delivery_days || ' ' || max_delivery_days "
        "from carrier_performance where carrier = %s", carrier) == "1 9"


def counted(db, carrier):
    return db.one(
        "select delivered_count, failed_count, delivery_days_sample, "
        "on_time_sample, total_shipments from mv_carrier_performance "
        "where carrier = %s", carrier)


def test_a_delivery_is_counted_by_its_status(own, own_db):
    """A person's shipment need not say when."""
    client, carrier = Client(own, own.key_production), unique("Status")[:20]
    made = [client.post("/db/shipments", document={
        "reference": unique("status-"), "carrier": carrier, "status": status,
        "delivery_days": 3, "purchased_at": "2026-03-01T00:00:00Z",
        "created_at": "2026-03-01T00:00:00Z", **more}).json()["data"]["id"]
            for status, more in (
                ("delivered", {}),
                ("delivered", {"delivered_at": "2026-03-02T00:00:00Z"}),
                ("return_to_sender", {}))]
    own_db("update shipments set created_at = now() where carrier = %s",
           carrier)
    assert counted(own_db, carrier) == (2, 1, 1, 1, 3)
    assert client("PATCH", "/db/shipments/" + made[0], json={
        "status": "in_transit"}).status_code == 200
    assert counted(own_db, carrier) == (1, 1, 1, 1, 3)
    failed = client.get("/db/shipments", params={
        "failed": "true", "carrier": carrier}).json()["data"]["shipments"]
    assert [one["id"] for one in failed] == made[2:]


@pytest.mark.parametrize("costs, total, currency, sample", [
    ([("5", "USD"), ("7", None)], None, None, 2),
    ([("5", "USD"), ("7", "EUR"), (None, "GBP")], None, None, 2),
    ([("5", "USD"), ("7", "USD"), (None, "EUR")], "12", "USD", 2),
    ([("5", None), ("7", None), (None, "EUR")], "12", None, 2),
    ([(None, "EUR")], None, None, 0)])
def test_a_cost_without_a_currency_is_added_to_no_other(own_db, costs, total,
                                                        currency, sample):
    carrier, city = unique("Money")[:20], unique("Town")[:20]
    for cost, unit in costs + [(None, None)] * 2:
        own_db("insert into shipments (mode, carrier, total_cost, currency, "
               "to_address) values ('production', %s, %s, %s, %s)", carrier,
               cost, unit, psycopg2.extras.Json({"city": city}))
    right = (total and Decimal(total),
             total and Decimal(total) / sample, currency, sample)
    for view, name, value in (("mv_daily_shipment_analytics", "carrier",
                               carrier), ("mv_top_routes", "to_city", city),
                              ("mv_carrier_performance", "carrier", carrier)):
        assert own_db("select total_cost, avg_cost, currency, cost_sample "
                      f"from {view} where {name} = %s", value) == [right], view
    assert own_db.one("select total_revenue from mv_carrier_performance "
                      "where carrier = %s", carrier) == right[0]


def test_ninety_days_are_ninety(own_db):
    """Today's is the last of them."""
    carrier = unique("Days")[:20]
    own_db("insert into shipments (mode, carrier, created_at) select "
           "'production', %s, date_trunc('day', now(), 'UTC') - n * interval "
           "'1 day' from generate_series(0, 91) n", carrier)
    assert own_db.one("select count(*) from mv_daily_shipment_analytics "
                      "where carrier = %s", carrier) == 90
    assert own_db.one("select total_shipments from mv_carrier_performance "
                      "where carrier = %s", carrier) == 90


# --- what it really cost ----------------------------------------------------------------


FEES = [("LabelFee", "0.01000", False), ("PostageFee", "6.07000", False),
        ("InsuranceFee", "0.50000", False), ("OddFee", "1", False),
        ("PostageFee", "2.00", True)]


def fee(kind, amount, is_refunded):
    return {"object": "Fee", "type": kind, "amount": amount, "charged": True,
            "refunded": is_refunded}


@pytest.fixture
def costly(own):
    """A purchase with all kinds of fees, its refund, through the proxy."""
    client = Client(own, own.key)

    def through(document):
        path = "/v2/" + unique("fees_")
        own.sim_control.canned("POST", path, document)
        assert client.post(path).status_code == 200
        wait_recorded(own)
        return document

    bought = documents.shipment(bought=True, fees=[fee(*one) for one in FEES])
    through(bought)
    return through, bought


def costs(db, shipment):
    return db.one(
        "select s.total_cost, m.base_rate, m.insurance_cost, m.other_fees, "
        "m.tracking_cost, m.total_cost from shipments s "
        "join shipment_metrics m on m.shipment_id = s.id "
        "where s.easypost_id = %s", shipment["id"])


def test_the_true_cost_has_all_fees_less_refunds(own_db, costly):
    _, bought = costly
    assert costs(own_db, bought) == (
        Decimal("7.58"), Decimal("6.07"), Decimal("0.5"), Decimal("1.01"),
        None, Decimal("7.58"))
    assert_right(own_db)


@pytest.mark.parametrize("status, cost", [
    ("submitted", "7.58"), ("rejected", "7.58"), ("refunded", "1.51")])
def test_a_refund_takes_the_postage_back(own_db, costly, status, cost):
    """Told by the refund alone, before the shipment's fees say so."""
    through, bought = costly
    through([documents.refund(bought["id"], bought["tracking_code"],
                              status=status, updated_at=documents.at(9))])
    assert costs(own_db, bought)[0] == Decimal(cost)
    through(dict(bought, updated_at=documents.at(20), refund_status=status,
                 fees=[fee(kind, amount, status == "refunded" and
                           kind == "PostageFee" or is_refunded)
                       for kind, amount, is_refunded in FEES]))
    assert costs(own_db, bought)[0] == Decimal(cost)
    assert_right(own_db)


@pytest.mark.parametrize("fees", [[], [fee(*one) for one in FEES]])
def test_a_refund_back_and_forth_costs_what_it_cost(own_db, costly, fees):
    """Also of a shipment of which no fee was told."""
    through, _ = costly
    bought = through(documents.shipment(bought=True, fees=fees))
    told = []
    refund = documents.refund(bought["id"], bought["tracking_code"])
    for minute, status in enumerate(("submitted", "refunded", "rejected",
                                     "refunded", "submitted")):
        through([dict(refund, status=status,
                      updated_at=documents.at(10 + minute))])
        told.append(costs(own_db, bought)[0])
    whole, rest = (Decimal("7.58"), Decimal("1.51")) if fees else (
        Decimal("6.07"), 0)
    assert told == [whole, rest, whole, rest, whole]
    assert_right(own_db)


@pytest.mark.parametrize("fees, cost", [
    ([], "6.07"), ("none", "6.07"), (None, "6.07"),
    # what a fee takes cannot be read: what the shipment costs is not known
    ([{"amount": "NaN"}], None), ([7], None), ([{"type": {"a": 1}}], None),
    ([fee("PostageFee", "6.07", False), fee("OddFee", None, False)], None),
    ([fee("PostageFee", "6.07", False), fee("OddFee", None, True)], "6.07"),
    # what is given back
    ([fee("PostageFee", "6.07", False), fee("OddFee", "-1.07", False)], "5"),
    ([fee("OddFee", -7.25, False)], None)])
def test_odd_fees_break_nothing_and_invent_nothing(own_db, costly, fees, cost):
    through, _ = costly
    odd = through(documents.shipment(bought=True, fees=fees))
    assert costs(own_db, odd)[0] == (cost and Decimal(cost))
    assert_right(own_db)
