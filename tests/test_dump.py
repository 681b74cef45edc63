"""A dump of the database, put into another cluster: what pg_dump cannot carry,
the numbers of the old cluster's transactions, disturbs nothing there."""

import shutil
import subprocess

import pytest

from env.process import run
from helpers import Client, Database, wait_until
from test_figures import assert_right

EPOCH = 2 ** 32  # transactions: more than any new cluster has seen
LOCK = "select pg_advisory_lock(hashtextextended('waybill.merge', 0))"
SHIPMENTS = ("insert into shipments (mode, carrier, total_cost, currency) "
             "select 'test', 'USPS', n, 'USD' from generate_series(1, %s) n")


@pytest.fixture
def own(make_stack):
    """A stack whose server has had four billion transactions."""
    one = make_stack(conf={"WORKERS": "3", "WORKERS_OVERFLOW": "0"})
    one.postgres.stop()
    program(one.postgres, "pg_resetwal", "-e", "1", "-D",
            one.postgres.directory)
    one.postgres.start()
    return one


def program(server, name, *words, stdin=b""):
    return run([f"{server.programs}/{name}", *words], directory="/",
               user=server.user, stdin=stdin)


def dumped(server):
    """The roles, which belong to no database, and the database."""
    roles = program(server, "pg_dumpall", "--roles-only", "-d",
                    server.admin_url("postgres"))
    data = subprocess.run(
        [f"{server.programs}/pg_dump", "-Fc", server.admin_url()],
        check=True, capture_output=True).stdout
    return roles, data


def put_into_new_cluster(own, roles, data):
    """In the place of the old one, as docs/backup.md says."""
    server = own.postgres
    server.crash()
    shutil.rmtree(server.directory)
    server.make()
    server.start()
    # of its roles one is there in every cluster: the superuser
    program(server, "psql", "-Xq", "-d", server.admin_url("postgres"),
            stdin=roles.encode())
    program(server, "pg_restore", "-d", server.admin_url("postgres"),
            "--create", "--exit-on-error", stdin=data)


def test_numbers_of_another_cluster_hide_nothing(own):
    db = Database(own.database_url)
    db(SHIPMENTS, 3)
    wait_until(lambda: db.one("select min(horizon)::text::bigint "
                              "from analytics_state") > EPOCH, 20, "a merge")
    db(LOCK)  # what comes now is not merged yet
    db(SHIPMENTS, 5)
    assert db.one("select count(*) from shipment_deltas") > 0
    roles, data = dumped(own.postgres)
    db.close()
    put_into_new_cluster(own, roles, data)
    db = Database(own.database_url)
    assert db.one("select pg_current_xact_id()::text::bigint") < EPOCH
    assert assert_right(db) == 8
    db(SHIPMENTS, 7)
    wait_until(lambda: db.one("select count(*) from shipment_deltas") == 0,
               30, "the notes of the other cluster to be merged")
    assert assert_right(db) == 15
    shown = Client(own, own.key).get("/db/analytics/dashboard?days=30")
    assert shown.json()["data"]["summary"]["total_shipments"] == 15
    db.close()
