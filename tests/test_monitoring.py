"""What monitoring stands on: the views of the server's own state, and the names
that rules and dashboard ask for.  When alerts fire tells promtool: `make check`.
"""

import concurrent.futures
import os
import pathlib
import shutil
import subprocess
import tempfile

import psycopg2
import pytest

import documents
import monitored
from env.postgres import OPERATOR, Postgres
from env.process import ENVIRONMENT, Process, run
from helpers import ROOT, Database, deliver, unique, wait_until
from test_metrics import scrape

VIEWS = {
    "slow_statements": "role query calls mean_ms max_ms total_ms "
                       "total_percent row_count hit_percent temp_bytes "
                       "wal_bytes",
    "index_usage": "table_name index_name partitions bytes scans "
                   "entries_read is_constraint is_unused counted_since",
    "table_sizes": "table_name partitions live_rows dead_rows dead_percent "
                   "hot_update_percent table_bytes index_bytes total_bytes",
    "connections_by_state": "application role state connections "
                            "waiting_for_locks longest_state_s "
                            "longest_transaction_s",
    "locks_waiting": "pid application role lock_type lock_mode relation "
                     "waiting_s blocked_by blocker blocker_state "
                     "blocker_transaction_s",
    "vacuum_state": "table_name live_rows dead_rows vacuum_at_dead_rows "
                    "is_vacuum_due last_vacuum last_analyze "
                    "changed_since_analyze transaction_age freeze_percent",
    "view_freshness": "view_name refreshed_at refreshed_ago_s duration_ms "
                      "last_result last_error drift merged_at changed_at "
                      "unmerged",
}


# --- the views -----------------------------------------------------------------------


class Reader:
    """An analyst: a login with the rights of waybill_reader and no others."""

    def __init__(self, url, admin_url, role):
        self.role = role
        self.connection = psycopg2.connect(
            url, application_name="monitoring tests")
        self.connection.autocommit = True
        self.admin_url = admin_url

    def __call__(self, sql, *values):
        with self.connection.cursor() as cursor:
            cursor.execute(sql, values)
            names = [one.name for one in cursor.description]
            return [dict(zip(names, row)) for row in cursor.fetchall()]

    def one(self, sql, *values):
        [row] = self(sql, *values)
        return row


def make_reader(server, database="waybill"):
    role = unique("analyst_")[:20]
    server.psql(f"create role {role} login; grant waybill_reader to {role}",
                database)
    return Reader(server.url(database, role), server.admin_url(database), role)


@pytest.fixture(scope="module")
def reader(stack):
    one = make_reader(stack.postgres)
    yield one
    one.connection.close()
    stack.psql(f"drop role {one.role}")


@pytest.mark.parametrize("view", list(VIEWS))
def test_the_views_have_their_columns(reader, view):
    """Readable by who may read the tables, with and without rows."""
    with reader.connection.cursor() as cursor:
        cursor.execute(f"select * from waybill.{view}")
        assert [one.name for one in cursor.description] == \
            VIEWS[view].split()


def test_nobody_else_reads_them(db):
    for view in VIEWS:
        for role in ("waybill_worker", "waybill_jobs", "public"):
            assert not db.one("select has_table_privilege(%s, %s, 'select')",
                              role, f"waybill.{view}"), (view, role)


def test_indexes(reader, db):
    db("set enable_seqscan = off; select count(*) from waybill.shipments "
       "where tracking_code = 'NONE'; reset enable_seqscan")
    found = {row["index_name"]: row
             for row in reader("select * from waybill.index_usage")}
    assert found["ix_shipments_tracking_covering"]["table_name"] == "shipments"
    assert not found["ix_shipments_tracking_covering"]["is_constraint"]
    assert found["shipments_pkey"]["is_constraint"]
    assert not found["shipments_pkey"]["is_unused"]
    assert all(row["bytes"] > 0 and row["scans"] >= 0 and row["counted_since"]
               for row in found.values())
    # Partitions are together under the name of their index.
    assert found["user_activities_pkey"]["partitions"] == db.one(
        "select count(*) from pg_inherits where inhparent = "
        "'waybill.user_activities'::regclass")
    assert not [name for name in found if name[-7:-3].isdigit()]


def test_table_sizes_are_those_of_the_server(reader, db):
    found = {row["table_name"]: row
             for row in reader("select * from waybill.table_sizes")}
    assert {"shipments", "addresses", "system_metrics"} <= set(found)
    for row in found.values():
        assert row["total_bytes"] == row["table_bytes"] + row["index_bytes"]
    assert found["partition_rules"]["total_bytes"] == db.one(
        "select pg_total_relation_size('waybill.partition_rules')")
    activities = found["user_activities"]
    assert activities["partitions"] > 1
    assert activities["total_bytes"] > db.one(
        "select max(pg_total_relation_size(relid)) from "
        "pg_partition_tree('waybill.user_activities')")


def test_dead_rows_are_seen(reader, stack):
    """Each statement on a connection of its own: its end tells the counters."""
    sql = stack.psql
    sql("create table waybill.dying with (autovacuum_enabled = off, "
       "autovacuum_vacuum_threshold = 7, autovacuum_vacuum_scale_factor = 0) "
       "as select number from generate_series(1, 100) as g (number)")
    try:
        sql("delete from waybill.dying where number <= 20")

        def seen():
            rows = reader("select * from waybill.vacuum_state "
                          "where table_name = 'dying'")
            return rows and rows[0]["dead_rows"] == 20 and rows[0]

        row = wait_until(seen, 10, "the dead rows")
        assert row["vacuum_at_dead_rows"] == 7 and row["is_vacuum_due"]
        assert row["live_rows"] == 80 and row["last_vacuum"] is None
        assert row["transaction_age"] >= 1 and 0 <= row["freeze_percent"] < 1
        assert reader.one("select dead_percent from waybill.table_sizes "
                          "where table_name = 'dying'")["dead_percent"] == 20
        sql("vacuum waybill.dying")
        row = wait_until(
            lambda: (lambda one: one["last_vacuum"] and one)(reader.one(
                "select * from waybill.vacuum_state "
                "where table_name = 'dying'")), 10, "the vacuum")
        assert row["dead_rows"] == 0 and not row["is_vacuum_due"]
    finally:
        sql("drop table waybill.dying")


def test_connections_of_others_are_told(reader, stack):
    """State and age, which a role sees of its own sessions only."""
    name = unique("waits ")
    other = psycopg2.connect(stack.database_url, application_name=name)
    try:
        other.cursor().execute("select 1")
        row = reader.one("select * from waybill.connections_by_state "
                         "where application = %s", name)
        assert row["state"] == "idle in transaction"
        assert row["role"] == stack.postgres.superuser
        assert row["connections"] == 1 and row["waiting_for_locks"] == 0
        assert row["longest_transaction_s"] >= row["longest_state_s"] >= 0
        assert [row for row in reader("select * from connections_by_state")
                if row["application"].startswith("waybill")]
    finally:
        other.close()


def test_who_waits_for_whom(reader, stack):
    holder = psycopg2.connect(stack.database_url, application_name="holds")
    waiter = psycopg2.connect(stack.database_url, application_name="waits")
    key = int(unique()[:7], 16)
    pid = holder.info.backend_pid
    with concurrent.futures.ThreadPoolExecutor(1) as threads:
        try:
            holder.cursor().execute("select pg_advisory_xact_lock(%s)", (key,))
            held = threads.submit(waiter.cursor().execute,
                                  "select pg_advisory_xact_lock(%s)", (key,))
            row = wait_until(
                lambda: (reader("select * from waybill.locks_waiting where "
                                "application = 'waits'") or [None])[0],
                10, "the lock")
        finally:
            holder.close()
        held.result(10)
        waiter.close()
    assert row["blocked_by"] == [pid]
    assert row["blocker"] == "holds" and row["lock_type"] == "advisory"
    assert row["blocker_state"] == "idle in transaction"
    assert row["waiting_s"] >= 0


def test_freshness_is_that_of_the_last_refresh(reader, stack, db):
    stack.waybill("refresh")
    rows = {row["view_name"]: row
            for row in reader("select * from waybill.view_freshness")}
    assert set(rows) == {"mv_daily_shipment_analytics",
                         "mv_carrier_performance", "mv_top_routes"}
    for row in rows.values():
        assert row["last_result"] == "refreshed" and row["last_error"] is None
        assert 0 <= row["refreshed_ago_s"] < 300 and row["duration_ms"] >= 0
        assert row["merged_at"] and row["unmerged"] >= 0
    daily = "mv_daily_shipment_analytics"
    assert rows[daily]["drift"] == db.one(
        "select sum(drift) from waybill.refresh_history where view_name = %s "
        "and started_at > now() - interval '1 day'", daily)
    db("insert into waybill.refresh_history (view_name, started_at, "
       "duration_ms, result, error) values (%s, now(), 1, 'failed', 'test')",
       daily)
    try:
        row = reader.one("select * from waybill.view_freshness "
                         "where view_name = %s", daily)
        assert (row["last_result"], row["last_error"]) == ("failed", "test")
        assert row["refreshed_at"] == rows[daily]["refreshed_at"]
    finally:
        db("delete from waybill.refresh_history where error = 'test'")


# --- statements, which only an extension counts -----------------------------------------


def test_without_the_extension_there_is_none(reader):
    assert reader("select * from waybill.slow_statements") == []


def test_an_extension_that_is_not_loaded_is_none(reader, db):
    db("create extension pg_stat_statements schema public")
    try:
        assert reader("select * from waybill.slow_statements") == []
    finally:
        db("drop extension pg_stat_statements")


def remove(server):
    server.stop()
    shutil.rmtree(server.directory)
    shutil.rmtree(server.socket_dir, ignore_errors=True)


@pytest.fixture(scope="module")
def counting(tmp_path_factory, stack):
    """A server that counts statements, with a schema of ours."""
    folder = str(tmp_path_factory.mktemp("counting"))
    os.chmod(folder, 0o755)
    server = Postgres(
        stack.postgres.directory + "-counting",
        stack.postgres.socket_dir + "-counting",
        os.path.join(folder, "log"), fsync=False,
        settings={"shared_preload_libraries": "pg_stat_statements"})
    server.make()
    try:
        server.start()
        server.make_database()
        subprocess.run(
            [os.path.join(stack.build, "waybill"), "-c", stack.conf_file,
             "migrate", "up"], check=True, stdout=subprocess.DEVNULL,
            env={**ENVIRONMENT, "DATABASE_URL": server.operator_url()})
        server.psql("create extension pg_stat_statements schema public")
        yield server
    finally:
        remove(server)


def test_with_the_extension_they_are_told(counting):
    admin = Database(counting.admin_url())
    reader = make_reader(counting)
    for number in (11, 22, 33):
        admin(f"select 'secret{number}' as counted, {number}")
    admin("-- secret55\n select 'secret55' as commented")
    admin(f"alter role {OPERATOR} password 'secret44'")
    rows = reader("select * from waybill.slow_statements")
    [row] = [row for row in rows if "as counted" in row["query"]]
    assert row["query"] == "select $1 as counted, $2"
    assert row["role"] == counting.superuser
    assert row["calls"] == 3 and row["row_count"] == 3
    assert 0 < row["mean_ms"] <= row["max_ms"] <= row["total_ms"]
    assert {"alter ...", "select $1 as commented"} <= {
        row["query"] for row in rows}
    assert not [row for row in rows if "secret" in row["query"]]
    times = [row["total_ms"] for row in rows]
    assert times == sorted(times, reverse=True)
    assert 99 < sum(row["total_percent"] for row in rows) < 101
    reader.connection.close()
    admin.close()


# --- replicas ---------------------------------------------------------------------------


def samples(server):
    """What /metrics would say of this server."""
    with_rights = Database(server.admin_url())
    try:
        return dict(with_rights("select * from waybill.server_samples()"))
    finally:
        with_rights.close()


def test_a_replica_is_told_of_at_both_ends(counting):
    alone = samples(counting)
    assert alone["replicas"] == 0 and "replication_lag_seconds" not in alone
    replica = Postgres(counting.directory + "-replica",
                       counting.socket_dir + "-replica", counting.log,
                       fsync=False)
    run([f"{counting.programs}/pg_basebackup", "-D", replica.directory, "-R",
         "--checkpoint=fast", "--no-sync", "-d", counting.admin_url()],
        directory="/", user=counting.user)
    replica.make()  # what is there stays: the copy
    try:
        replica.start()
        seen = wait_until(
            lambda: (lambda one: one["replicas"] == 1 and one)(
                samples(counting)), 20, "the replica at its primary")
        assert 0 <= seen["replication_lag_seconds"] < 20
        seen = samples(replica)
        assert 0 <= seen["replication_lag_seconds"] < 20
        assert "replicas" not in seen
    finally:
        remove(replica)
    wait_until(lambda: samples(counting)["replicas"] == 0, 10, "its end")


# --- the names that rules and dashboard ask for --------------------------------------------


@pytest.fixture
def follower(stack):
    """Somebody who reads the log of changes, as a replica does."""
    server = stack.postgres
    folder = tempfile.mkdtemp(prefix="waybill-wal-", dir="/tmp")
    os.chmod(folder, 0o777)
    one = Process("pg_receivewal", [
        f"{server.programs}/pg_receivewal", "-D", folder, "--no-sync",
        "-d", server.admin_url()], log=stack.log("receivewal"),
        directory="/", user=server.user).start()
    yield one
    one.stop()
    shutil.rmtree(folder)


def test_every_name_is_exported(stack, client, nobody, follower):
    """One scrape of a stack that has all of it: a name or a label that changes
    would otherwise be an alert that never comes."""
    client.get("/v2/addresses/adr_1")
    deliver(nobody, documents.event("batch.updated", documents.batch()))
    stack.waybill("refresh")
    metrics = wait_until(
        lambda: (lambda one: one.value("replicas") and one.sum(
            "webhook_events_total") and one)(scrape(stack)),
        10, "a replica and an event")
    exported = {}
    for (name, labels), _ in metrics.samples.items():
        exported.setdefault(name, set()).update(name for name, _ in labels)
    asked = list(monitored.used())
    assert len(asked) > 80
    for where, name, labels in asked:
        assert name in exported, (where, name)
        # The first two are Prometheus' own.
        assert labels <= exported[name] | {"job", "instance"}, (where, name)


def test_each_alert_has_a_test():
    """They are run by `make check`."""
    tested = "".join(path.read_text(encoding="utf-8") for path in pathlib.Path(
        ROOT, "tests", "monitoring").glob("*.test.yml"))
    alerts = [rule["alert"] for rule in monitored.rules() if "alert" in rule]
    assert len(alerts) > 40
    assert [name for name in alerts if f'"{name}"' not in tested] == []


def test_alerts_say_what_people_need():
    found = [rule for rule in monitored.rules() if "alert" in rule]
    assert len({rule["alert"] for rule in found}) == len(found) > 35
    for rule in found:
        assert set(rule["annotations"]) == {"summary", "description",
                                            "command"}, rule["alert"]
        assert rule["labels"]["severity"] in ("critical", "warning")
    with open(ROOT + "/docs/monitoring.md", encoding="utf-8") as file:
        text = file.read()
    assert [rule["alert"] for rule in found
            if f"`{rule['alert']}`" not in text] == []


def test_the_dashboard_is_one():
    """Of parts that every Grafana has, each in a place of its own."""
    panels = monitored.panels()
    assert len({panel["id"] for panel in panels}) == len(panels) > 40
    taken = set()
    for panel in panels:
        assert panel["type"] in ("row", "timeseries", "stat", "table")
        place = panel["gridPos"]
        cells = {(x, y)
                 for x in range(place["x"], place["x"] + place["w"])
                 for y in range(place["y"], place["y"] + place["h"])}
        assert not cells & taken and max(x for x, _ in cells) < 24, panel
        taken |= cells
        for target in panel.get("targets", []):
            assert target["datasource"]["uid"] == "${datasource}"
