"""Each look-up and list goes by the index that is there for it, on tables of a
size and with statistics that let PostgreSQL choose otherwise.

The statements are those that the workers send, read from PostgreSQL's log; each
is planned for its values and, where the plan is kept, for any values.
"""

import pathlib
import re
import sys
import urllib.parse

import psycopg2
import pytest

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent / "bench"))
import limits  # noqa: E402
import seed  # noqa: E402

ROWS = 20_000
# All of a table; not a partition, which may be empty.
SCANNED = re.compile(r"Seq Scan on (?!\w+_(?:history|\d{4}_\d\d) )\S+")
SORTED = re.compile(r"(?<!Incremental )Sort\b(?! Key)")
INDEX = re.compile(r"Index (?:Only )?Scan (?:Backward )?using (\S+)|"
                   r"Bitmap Index Scan on (\S+)")

# What recording and the service itself would add to the seed.
MORE = """
insert into waybill.user_activities (id, "timestamp", user_id, method, endpoint)
select waybill.uuid_generate_v7(), now() - n * interval '1 second',
    'somebody ' || n % 50, 'GET', '/db/shipments'
from generate_series(1, 20000) n;
insert into waybill.batch_operations (batch_id, operation_type, created_at,
    status)
select 'batch_' || md5(n::text), 'buy', now() - n * interval '1 minute',
    case n % 100 when 0 then 'failed' else 'completed' end
from generate_series(1, 5000) n;
vacuum (analyze) waybill.user_activities;
vacuum (analyze) waybill.batch_operations;
"""

# Path and the indexes (expressions) of which each is used; a name of a partition's
# index ends like that of its parent's.
LOOK_UPS = [
    ("/db/shipments/{id}", {"shipments_pkey"}),
    ("/db/shipments/{easypost_id}", {"shipments_easypost_id_key"}),
    ("/db/shipments/{tracking_code}", {"ix_shipments_tracking_covering"}),
    ("/db/addresses/{to_address_id}", {"addresses_pkey"}),
    ("/tracking/{tracking_code}", {"ix_trackers_tracking_code"}),
]
# Both have their order; which one is cheaper depends on a sample.
FAILURES = "ix_shipments_(?:status_created|failed)$"
# Lists that come out of their index in their order: nothing is sorted, but what is
# of the same moment.
LISTS = [
    ("/db/shipments?limit=2", {"ix_shipments_created"}),
    ("/db/shipments?limit=2&mode=test", {"ix_shipments_test"}),
    ("/db/shipments?limit=2&carrier={carrier}",
     {"ix_shipments_carrier_created"}),
    ("/db/shipments?limit=2&carrier={carrier}&service={service}",
     {"ix_shipments_carrier_service_created"}),
    ("/db/shipments?limit=2&status=failure", {FAILURES}),
    ("/db/shipments?limit=2&status=failure&date_to=2100-01-01", {FAILURES}),
    ("/db/shipments?limit=2&failed=true", {"ix_shipments_failed_updated"}),
    ("/db/shipments?limit=2&from_city={from_city}&to_city={to_city}"
     "&date_from=2020-01-01", {"ix_shipments_route_created"}),
    ("/db/addresses?limit=2", {"ix_addresses_created"}),
    ("/db/events?limit=2", {"_created_at_id_idx"}),
    ("/db/webhooks?limit=2", {"_pkey"}),
    ("/db/user-activity?limit=2", {"_pkey"}),
    ("/db/batch-operations?limit=2", {"ix_batch_operations_newest"}),
]
# Few rows, found and then sorted.
FOUND = [
    ("/db/shipments?limit=2&batch_id={batch_id}", {"ix_shipments_batch"}),
    ("/db/shipments?limit=2&reference={reference}", {"ix_shipments_reference"}),
    ("/db/shipments?limit=2&status=failure,error", {"ix_shipments_"}),
    ("/db/events?limit=2&shipment_id={id}", {"_shipment_id_event_datetime_"}),
    ("/db/events?limit=2&tracking_code={tracking_code}",
     {"ix_trackers_tracking_code", "shipment_events_2026"}),
    ("/db/webhooks?limit=2&object_id={tracker}", {"_object_id_idx"}),
]


@pytest.fixture(scope="module")
def seeded(tmp_path_factory):
    from env.stack import Stack
    with Stack(tmp_path_factory.mktemp("plans")) as one:
        seed.seed(one.database_url, ROWS, documents=0, events=0.5)
        for statement in MORE.strip().split(";\n"):
            one.psql(statement.rstrip(";"))
        columns = ("id", "easypost_id", "tracking_code", "batch_id",
                   "reference", "to_address_id")
        row = one.psql(
            f"select {','.join(f's.{name}::text' for name in columns)},"
            " w.object_id"
            " from waybill.shipments s join waybill.trackers t"
            " on t.shipment_id = s.id join waybill.webhook_events w"
            " on w.object_id = t.easypost_id"
            " where s.batch_id is not null and s.reference is not null"
            " and s.mode = 'production' order by s.id limit 1")[0]
        one.known = dict(zip((*columns, "tracker"), row))
        # Of a rare one all rows are found and then sorted, which is right; of half
        # of all the newest are nearly as soon found among those of others.
        [(one.known["carrier"], one.known["service"])] = one.psql(
            "select carrier, service from waybill.shipments where carrier = ("
            "select carrier from waybill.shipments where carrier is not null"
            " group by 1 order by count(*) desc offset 2 limit 1)"
            " group by 1, 2 order by count(*) desc limit 1")
        [(one.known["from_city"], one.known["to_city"])] = one.psql(
            "select from_city, to_city from waybill.shipments group by 1, 2"
            " order by count(*) desc limit 1")
        yield one


@pytest.fixture(scope="module")
def worker(seeded):
    """A cursor as the workers have."""
    connection = psycopg2.connect(seeded.service_url)
    connection.autocommit = True
    with connection.cursor() as cursor:
        cursor.execute("set role waybill_worker")
        yield cursor
    connection.close()


def sent(stack, path):
    """The statements for a request; then its data."""
    answers = []

    def ask():
        answers.append(stack.request("GET", path, key=stack.key_production))

    with limits.Statements(stack) as log:
        found = log.of(ask)
    assert answers[0].status == 200, answers
    return found, answers[0].json()["data"]


def plans(worker, statement):
    text, values, is_kept = statement
    worker.execute("deallocate all")
    worker.execute(f"prepare one as {text}")
    places = f"({', '.join(['%s'] * len(values))})" if values else ""
    for kind in ("custom", "generic") if is_kept else ("custom",):
        worker.execute(f"set plan_cache_mode = force_{kind}_plan")
        worker.execute(f"explain (costs off) execute one{places}", values)
        yield "\n".join(row[0] for row in worker.fetchall())


def indexes(text):
    return [found[0] or found[1] for found in INDEX.findall(text)]


def filled(seeded, path):
    return path.format(**{name: urllib.parse.quote(value)
                          for name, value in seeded.known.items()})


def check(worker, statement, wanted, *, may_sort):
    for found in plans(worker, statement):
        used = indexes(found)
        for name in wanted:
            assert any(re.search(name, index) for index in used), found
        assert not SCANNED.search(found), found
        assert may_sort or not SORTED.search(found), found


@pytest.mark.parametrize("path,wanted", LOOK_UPS)
def test_a_look_up_goes_by_its_index(seeded, worker, path, wanted):
    statements, _ = sent(seeded, filled(seeded, path))
    check(worker, statements[0], wanted, may_sort=True)


@pytest.mark.parametrize("path,wanted", LISTS)
def test_a_list_comes_in_the_order_of_its_index(seeded, worker, path, wanted):
    """The first page and, from a cursor, the second."""
    path = filled(seeded, path)
    statements, data = sent(seeded, path)
    check(worker, statements[0], wanted, may_sort=False)
    after = data["pagination"]["next"]
    statements, _ = sent(seeded, f"{path}&after={after}")
    check(worker, statements[0], wanted, may_sort=False)


@pytest.mark.parametrize("path,wanted", FOUND)
def test_few_rows_are_found_by_their_index(seeded, worker, path, wanted):
    statements, _ = sent(seeded, filled(seeded, path))
    check(worker, statements[0], wanted, may_sort=True)


def test_counting_addresses_does_not_count_their_uses(seeded, worker):
    [(city,)] = seeded.psql("select city from waybill.addresses group by city"
                            " order by count(*) limit 1")
    statements, _ = sent(seeded, "/db/addresses?limit=2&city="
                         + urllib.parse.quote(city))
    [count] = [one for one in statements if "count(*)" in one[0]]
    for found in plans(worker, count):
        assert "shipments" not in found, found


@pytest.mark.parametrize("asked,index", [
    ("select status, carrier, service, updated_at from waybill.shipments"
     " where tracking_code = '{tracking_code}'",
     "ix_shipments_tracking_covering"),
    ("select event_datetime, status, message, carrier_status"
     " from waybill.shipment_events where shipment_id = '{id}'"
     " order by event_datetime desc", "shipment_id_event_datetime_"),
])
def test_covering_indexes_hold_all_that_is_asked(seeded, asked, index):
    rows = seeded.psql("explain (analyze, costs off, timing off, summary off) "
                       + asked.format(**seeded.known))
    found = "\n".join(row[0] for row in rows)
    assert "Index Only Scan" in found and index in found, found
    assert set(re.findall(r"Heap Fetches: (\d+)", found)) == {"0"}, found
    assert "Index Scan" not in found, found


def test_what_keeps_the_figures_right_reads_the_days_it_is_about(seeded):
    """The comparison of 90 days, and the day on which one of them leaves."""
    scans = ("select seq_scan, idx_scan from pg_stat_xact_user_tables"
             " where relid = 'waybill.shipments'::regclass")
    connection = psycopg2.connect(seeded.database_url)
    with connection.cursor() as cursor:
        cursor.execute("select pg_advisory_xact_lock("
                       "hashtextextended('waybill.merge', 0));"
                       "update waybill.analytics_state"
                       " set routes_from = routes_from - 30;"
                       "select waybill.check_routes("
                       "current_date - 121, current_date)")
        cursor.execute(scans)
        before = cursor.fetchone()
        cursor.execute("select waybill.move_routes(); select drift from"
                       " waybill.refresh_analytics_views(current_date - 90)")
        assert cursor.fetchall() == [(0,), (None,), (0,)]
        cursor.execute(scans)
        after = cursor.fetchone()
    connection.close()
    assert after[0] == before[0] and after[1] > before[1]
