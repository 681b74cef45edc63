"""No question to the database waits longer than its limit, and whoever waited is
there for the next one."""

import pytest

from env.stack import Stack
from helpers import (Client, Database, assert_error, parallel, wait_until,
                     workers)

READS = ["/db/shipments", "/db/shipments?q=somebody", "/db/shipments/shp_1",
         "/db/shipments/TRACK1234", "/db/shipments?format=csv",
         "/db/addresses", "/db/addresses/adr_1", "/db/events",
         "/db/batch-operations", "/db/batch-operations/batch_1",
         "/db/webhooks", "/db/webhooks/evt_1", "/db/user-activity",
         "/db/completeness"]
# Those without which none of them can be answered.
TABLES = """shipments, search_words, addresses, shipment_events, trackers,
    batch_operations, webhook_events, webhook_event_ids, user_activities,
    reconciliation_ledger"""


@pytest.fixture(scope="module")
def slow(tmp_path_factory):
    """A stack with a worker for each of the reads, and one more."""
    with Stack(tmp_path_factory.mktemp("slow"),
               conf={"WORKERS": "50", "WORKERS_OVERFLOW": "0"}) as one:
        assert len(workers(one, "read")) == len(READS) + 1
        yield one


@pytest.fixture
def locked(slow):
    """A function that locks tables until the test is over."""
    database = Database(slow.database_url)

    def lock(tables):
        database("begin")
        database(f"lock table {tables} in access exclusive mode")

    yield lock
    database("rollback")
    database.close()


def test_a_locked_table_is_told_in_time(slow, locked):
    """By the worker and not by nginx, which would wait longer; all workers are
    there again afterwards."""
    def ask(path):
        return path, Client(slow, slow.key).get(path)

    for path, got in parallel(len(READS), lambda number: ask(READS[number])):
        assert got.status_code in (200, 404), path
    before = workers(slow, "read")
    locked(TABLES)
    for _, got in parallel(len(READS), lambda number: ask(READS[number])):
        assert_error(got, 503, "DATABASE.UNAVAILABLE")
        assert int(got.headers["Retry-After"]) > 0
    for got in parallel(30, lambda _: Client(slow, slow.key).get("/livez")):
        assert got.status_code == 200
    assert workers(slow, "read") == before


def test_nobody_asks_on_after_the_limit(slow, locked):
    """What was given up is ended in the database too."""
    client = Client(slow, slow.key)
    locked("shipments")
    assert client.get("/db/shipments").status_code == 503
    wait_until(lambda: slow.psql(
        "select count(*) from pg_stat_activity where state = 'active'"
        " and application_name = 'waybill-read'") == [(0,)], 10)


def test_an_address_that_everybody_uses_is_counted_to_a_limit(slow):
    """Else a look at one's own warehouse would read the whole table."""
    (address,), (other,) = slow.psql(
        "insert into waybill.addresses (city, mode) values ('Reno', 'test'),"
        " ('Reno', 'test') returning id::text")
    client = Client(slow, slow.key)
    for more, count, is_more in ((3, 3, False), (9_997, 10_000, False),
                                 (1, 10_000, True)):
        slow.psql("insert into waybill.shipments (mode, from_address_id,"
                 f" to_address_id) select 'test', '{address}', '{other}'"
                 f" from generate_series(1, {more})")
        told = client.get(f"/db/addresses/{address}").json()["data"]
        assert told["usage_count"] == count
        assert told["usage_count_is_more"] is is_more
