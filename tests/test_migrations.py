"""Migrations up and down, twice at once; the views and their true numbers."""

import concurrent.futures
import datetime
import os
import re
import subprocess
from decimal import Decimal

import psycopg2
import pytest

import documents
from env.process import ENVIRONMENT
from helpers import (Client, Database, compact, parallel, unique, wait_until)
from test_figures import Changer, assert_right


class Empty:
    """A database of its own in the stack's server, without any schema."""

    def __init__(self, stack):
        self.stack = stack
        self.name = unique("db_")[:20]
        stack.postgres.make_database(self.name)
        self.url = stack.postgres.operator_url(self.name)
        self.admin_url = stack.postgres.admin_url(self.name)

    def start(self, *words):
        """`waybill WORDS` on this database, not waited for."""
        return subprocess.Popen(
            [os.path.join(self.stack.build, "waybill"), "-c",
             self.stack.conf_file, *words],
            env={**ENVIRONMENT, "DATABASE_URL": self.url},
            stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)

    def waybill(self, *words, status=0):
        running = self.start(*words)
        out, err = running.communicate(timeout=120)
        assert running.returncode == status, (words, out, err)
        return out + err

    def dump(self):
        """The schema as text, without what differs in every dump."""
        text = subprocess.run(
            ["pg_dump", "--schema-only", self.admin_url], check=True,
            capture_output=True, text=True).stdout
        text = text.replace(self.name, "DATABASE")
        return [line for line in text.splitlines()
                if not re.match(r"\\(un)?restrict |-- Dumped ", line)]

    def query(self, sql):
        connection = psycopg2.connect(self.admin_url)
        try:
            connection.autocommit = True
            with connection.cursor() as cursor:
                cursor.execute(sql)
                return cursor.fetchall() if cursor.description else []
        finally:
            connection.close()

    def drop(self):
        self.stack.psql(f'drop database "{self.name}" with (force)')


@pytest.fixture
def empty(stack):
    made = []

    def make():
        made.append(Empty(stack))
        return made[-1]

    yield make
    for one in made:
        one.drop()


@pytest.fixture(scope="module")
def newest(stack):
    """The version that all migrations lead to."""
    folder = os.path.join(os.path.dirname(os.path.dirname(
        os.path.abspath(__file__))), "sql", "migrations")
    numbers = {int(name[:4]) for name in os.listdir(folder)}
    assert numbers == set(range(1, len(numbers) + 1))
    return max(numbers)


@pytest.fixture
def fresh(empty):
    one = empty()
    one.waybill("migrate", "up")
    return one


def schemas(one):
    return {row[0] for row in one.query(
        "select nspname from pg_namespace where nspname in "
        "('waybill', 'api', 'admin')")}


def test_up_makes_everything(fresh):
    tables = {row[0] for row in fresh.query(
        "select relname from pg_class c join pg_namespace n on "
        "n.oid = relnamespace where nspname = 'waybill' and "
        "relkind in ('r', 'p', 'm', 'v')")}
    assert tables >= {
        "shipments", "addresses", "parcels", "customs_infos",
        "shipment_events", "analytics_summaries", "carrier_performance",
        "shipment_metrics", "user_activities", "system_metrics",
        "batch_operations", "mv_daily_shipment_analytics",
        "mv_carrier_performance", "mv_top_routes"}
    indexes = dict(fresh.query(
        "select indexname, indexdef from pg_indexes "
        "where schemaname = 'waybill'"))
    for name, words in {
            "ix_shipments_carrier_service_created":
                "(carrier, service, created_at",
            "ix_shipments_status_created": "(status, created_at",
            "ix_shipments_to_address_created": "(to_address_id",
            "ix_shipments_tracking_covering":
                "(tracking_code) INCLUDE (status, carrier, service, "
                "updated_at)",
            "ix_shipment_events_covering":
                "(shipment_id, event_datetime DESC) INCLUDE (status, "
                "message, carrier_status)",
            "ix_shipments_active": "(created_at DESC) WHERE",
            "ix_shipments_failed": "WHERE"}.items():
        assert words in indexes.get(name, ""), (name, indexes.get(name))


COLUMNS = {
    "shipments": """id easypost_id tracking_code status created_at updated_at
        mode reference from_address_id to_address_id return_address_id
        buyer_address_id parcel_id customs_info_id selected_rate_id
        rates_data base_cost total_cost currency carrier service
        delivery_days delivery_date tracking_details signed_by weight
        est_delivery_date extra_metadata batch_id batch_status deleted_at""",
    "addresses": """id easypost_id created_at updated_at name company street1
        street2 city state zip country phone email verifications
        is_residential carrier_facility federal_tax_id state_tax_id
        search_vector deleted_at""",
    "parcels": """id easypost_id created_at updated_at length width height
        weight predefined_package mass_unit distance_unit""",
    "customs_infos": """id easypost_id created_at updated_at contents_type
        contents_explanation customs_certify customs_signer
        non_delivery_option restriction_type restriction_comments
        customs_items eel_pfc""",
    "shipment_events": """id shipment_id created_at status message
        description carrier_status tracking_location event_datetime""",
    "analytics_summaries": """id date period created_at total_shipments
        successful_shipments failed_shipments total_cost
        average_cost_per_shipment currency average_delivery_days
        on_time_delivery_rate carrier_stats top_destinations
        domestic_vs_international service_breakdown""",
    "carrier_performance": """id carrier service date created_at
        total_shipments on_time_deliveries delayed_deliveries
        failed_deliveries total_cost average_cost currency
        average_delivery_days min_delivery_days max_delivery_days
        on_time_rate reliability_score""",
    "shipment_metrics": """id shipment_id created_at
        creation_to_purchase_time purchase_to_label_time
        total_processing_time base_rate fuel_surcharge insurance_cost
        tracking_cost other_fees total_cost currency
        estimated_delivery_days actual_delivery_days delivery_delay_days
        was_on_time tracking_updates_count exception_events_count
        delivery_attempts origin_country destination_country distance_km
        carrier service package_type weight_kg""",
    "user_activities": """id user_id session_id timestamp action resource
        resource_id method endpoint user_agent ip_address status_code
        response_time_ms error_message extra_metadata""",
    "system_metrics": """id timestamp active_connections total_requests
        error_rate avg_response_time_ms p95_response_time_ms
        p99_response_time_ms cpu_usage_percent cpu_cores_used
        memory_usage_mb memory_percent disk_usage_percent
        db_connections_active db_connections_idle db_pool_size
        db_query_count db_slow_queries easypost_requests easypost_errors
        easypost_avg_response_time_ms api_requests_per_second
        cache_hit_rate cache_miss_rate""",
    "batch_operations": """id batch_id operation_type created_at started_at
        completed_at status total_items processed_items successful_items
        failed_items total_processing_time avg_item_time errors user_id
        source parameters""",
    "mv_daily_shipment_analytics": """date carrier service shipment_count
        total_cost avg_cost delivered_count in_transit_count failed_count
        avg_delivery_days""",
    "mv_carrier_performance": """carrier service total_shipments
        total_revenue total_cost avg_cost delivered_count completed_count
        on_time_rate avg_delivery_days""",
    "mv_top_routes": """shipment_count total_cost avg_cost""",
}


@pytest.mark.parametrize("table", list(COLUMNS))
def test_the_originals_columns_keep_their_names(db, table):
    found = {row[0]: row[1] for row in db(
        "select attname, atttypid::regtype::text from pg_attribute "
        "where attrelid = %s::regclass and attnum > 0", table)}
    missing = set(COLUMNS[table].split()) - set(found)
    assert missing == set()
    for name, kind in found.items():
        assert kind not in ("real", "double precision", "money",
                            "timestamp without time zone"), (name, kind)


def test_constraints_that_we_guarantee(stack):
    """Facts that no writer may break, whoever it is."""
    for sql in (
            "insert into waybill.parcels (easypost_id, weight) "
            "values ('prcl_bad', -1)",
            "insert into waybill.shipments (easypost_id, base_cost) "
            "values ('shp_bad', -1)",
            "insert into waybill.addresses (easypost_id, country) "
            "values ('adr_bad', 'Germany')"):
        with pytest.raises(psycopg2.errors.IntegrityError):
            stack.psql(sql)


# --- up and down -------------------------------------------------------------------


def test_status_and_history_tell_the_version(fresh, newest):
    assert str(newest) in fresh.waybill("migrate", "status")
    history = fresh.waybill("migrate", "history")
    for number in range(1, newest + 1):
        assert re.search(rf"\b0*{number}\b", history), history
    today = datetime.datetime.now(datetime.timezone.utc).date().isoformat()
    assert today in history


def test_status_tells_by_its_exit_what_is_to_be_done(fresh):
    """Of programs that ask: the package's own."""
    fresh.waybill("migrate", "status")
    fresh.waybill("migrate", "down")
    assert "pending" in fresh.waybill("migrate", "status", status=5)
    fresh.waybill("migrate", "up")
    fresh.query("update waybill.schema_deployed set sha256 = 'another'")
    assert "not those" in fresh.waybill("migrate", "status", status=5)


def test_verify_is_content_with_a_fresh_database(fresh):
    fresh.waybill("migrate", "verify")


def test_verify_sees_what_somebody_changed(fresh):
    fresh.query("alter table waybill.shipments drop column signed_by cascade")
    said = fresh.waybill("migrate", "verify", status=1)
    assert said.strip()


def test_up_again_changes_nothing(fresh):
    before = fresh.dump()
    fresh.waybill("migrate", "up")
    assert fresh.dump() == before


def test_down_one_and_up_equals_fresh(fresh, newest):
    before = fresh.dump()
    fresh.waybill("migrate", "down")
    assert fresh.dump() != before
    fresh.waybill("migrate", "up")
    assert fresh.dump() == before


def test_upgraded_from_every_version_equals_fresh(fresh, newest):
    """One down more each time: every step down can be climbed again."""
    before = fresh.dump()
    for depth in range(2, newest + 1):
        for _ in range(depth):
            fresh.waybill("migrate", "down")
        fresh.waybill("migrate", "up")
        assert fresh.dump() == before, depth


def test_down_to_nothing_leaves_nothing(fresh, empty, newest):
    for _ in range(newest):
        fresh.waybill("migrate", "down")
    assert schemas(fresh) == set() or fresh.query(
        "select relname from pg_class where relnamespace = "
        "'waybill'::regnamespace and relkind in ('r', 'p', 'm', 'v') "
        "and relname not like '%migration%' and relname not like '%schema%'"
        ) == []
    assert fresh.query("select proname from pg_proc p join pg_namespace n on "
                       "n.oid = pronamespace where nspname in ('api', "
                       "'admin')") == []
    fresh.waybill("migrate", "down", status=1)
    fresh.waybill("migrate", "up")
    other = empty()
    other.waybill("migrate", "up")
    assert fresh.dump() == other.dump()


def test_data_survives_down_one_and_up(fresh):
    """What a step down does not concern stays."""
    fresh.query("insert into waybill.addresses (easypost_id, city) "
                "values ('adr_stays', 'Reno')")
    fresh.waybill("migrate", "down")
    fresh.waybill("migrate", "up")
    assert fresh.query("select city from waybill.addresses "
                       "where easypost_id = 'adr_stays'") == [("Reno",)]


def go_down_to(one, version, newest):
    for _ in range(newest - version):
        one.waybill("migrate", "down")


ONE_NOTE = 20  # its migration tells figures of one kind as those of another


def test_figures_outlive_another_kind_of_notes(fresh, newest):
    """Merged and not, on the way down and on the way up."""
    db = Database(fresh.admin_url)
    changer = Changer(fresh.admin_url, 7)
    for merges in (True, False):
        changer.run(200)
        if merges:
            assert db.one("select merge_figures()") > 0
    assert db.one("select count(*) from shipment_deltas") > 0
    assert_right(db)
    go_down_to(fresh, ONE_NOTE - 1, newest)
    assert_right(db)
    changer.run(200)
    assert db.one("select count(*) from shipment_deltas where days > 0") > 0
    assert_right(db)
    fresh.waybill("migrate", "up")
    assert assert_right(db) > 100
    changer.run(200)
    db("select merge_figures()")
    assert_right(db)
    assert not any(row[0] for row in db(
        "select drift from refresh_analytics_views('2000-01-01')"))
    db.close()


def test_who_writes_and_a_migration_do_not_wait_for_each_other(fresh, newest):
    """He has the shipments already, and comes to the notes only later."""
    db, writer = Database(fresh.admin_url), Database(fresh.admin_url)
    go_down_to(fresh, ONE_NOTE - 1, newest)
    writer("begin; lock table shipments in row exclusive mode")
    migration = fresh.start("migrate", "up")
    wait_until(lambda: db.one(
        "select count(*) from pg_locks where not granted and relation = "
        "'shipments'::regclass") > 0, 30, "the migration")
    writer("insert into shipments (carrier) values ('USPS')")
    writer("commit")
    out, err = migration.communicate(timeout=120)
    assert migration.returncode == 0, (out, err)
    writer.close()
    wait_until(lambda: db.one(
        "select count(*) from pg_stat_activity where datname = "
        "current_database() and pid <> pg_backend_pid() and "
        "backend_type = 'client backend'") == 0, 30,
        "the others' end")
    assert db.one("select deadlocks from pg_stat_database "
                  "where datname = current_database()") == 0
    assert_right(db)
    db.close()


def test_two_at_once_do_it_once(empty, newest):
    one = empty()
    running = [one.start("migrate", "up") for _ in range(3)]
    for process in running:
        out, err = process.communicate(timeout=120)
        assert process.returncode == 0, (out, err)
    assert str(newest) in one.waybill("migrate", "status")
    one.waybill("migrate", "verify")


def test_a_migration_that_fails_leaves_everything_as_it_was(
        empty, newest, tmp_path):
    """One transaction: all of it or nothing."""
    one = empty()
    one.waybill("migrate", "up")
    before = one.dump()
    sql = tmp_path / "sql"
    root = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
    subprocess.run(["cp", "-r", root + "/sql", str(sql)], check=True)
    name = f"{newest + 1:04}_broken"
    (sql / "migrations" / f"{name}.up.sql").write_text(
        "create table waybill.half ();\nselect 1 / 0;\n")
    (sql / "migrations" / f"{name}.down.sql").write_text(
        "drop table waybill.half;\n")
    running = subprocess.run(
        [os.path.join(one.stack.build, "waybill"), "-c", one.stack.conf_file,
         "migrate", "up"], capture_output=True, text=True, check=False,
        timeout=60, env={**ENVIRONMENT, "DATABASE_URL": one.url,
                         "WAYBILL_SQL_DIR": str(sql)})
    assert running.returncode == 1
    assert "broken" in running.stderr + running.stdout
    assert one.dump() == before


def test_a_plan_made_stale_by_a_migration_costs_nothing(stack, client):
    """Workers keep prepared statements; the next request works all the same."""
    for _ in range(12):
        assert client.get("/db/shipments?limit=1").status_code == 200
    stack.waybill("migrate", "up")
    got = parallel(8, lambda _: Client(stack, stack.key).get(
        "/db/shipments?limit=1"))
    assert [one.status_code for one in got] == [200] * 8
    event = documents.batch()
    assert client.get(f"/db/shipments/{event['id']}").status_code == 404


@pytest.mark.parametrize("words", [("migrate", "sideways"), ("nonsense",),
                                   ("migrate", "up", "now")])
def test_nonsense_is_refused(stack, words):
    done = subprocess.run(
        [os.path.join(stack.build, "waybill"), "-c", stack.conf_file, *words],
        capture_output=True, text=True, check=False, timeout=20,
        env=ENVIRONMENT)
    assert done.returncode == 2, done
    assert done.stderr


def test_the_version_is_told(stack):
    root = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
    with open(root + "/VERSION", encoding="ascii") as file:
        assert file.read().strip() in stack.waybill("version")


def test_the_configuration_is_shown_without_secrets(stack):
    shown = stack.waybill("config")
    assert "WORKERS" in shown
    for name in ("EASYPOST_API_KEY", "EASYPOST_TEST_API_KEY",
                 "EASYPOST_WEBHOOK_SECRET"):
        assert name in shown
    with open(stack.conf_file, encoding="utf-8") as file:
        for line in file:
            name, _, value = line.strip().partition("=")
            if name.startswith("EASYPOST_") and not name.endswith("BASE"):
                assert value.strip('"') not in shown, name


# --- the views -------------------------------------------------------------------------


@pytest.fixture(scope="module")
def history(stack, sim):
    """Ten shipments of one carrier on one route, at known days and costs."""
    client = Client(stack, stack.key_production)
    carrier = unique("Views")[:20]
    city = unique("City")[:20]
    start = documents.address(city=city, state="CA", country="US")
    end = documents.address(city=city + "2", state="NV", country="US")
    several = []
    for number in range(10):
        day = -10 - number // 5
        own = documents.shipment(
            bought=True, carrier=carrier, price=f"{number + 1}.50",
            service="Fast", mode="production", from_address=start,
            to_address=end, created_at=documents.at(days=day))
        own["postage_label"].update(label_date=documents.at(days=day),
                                    created_at=documents.at(days=day))
        if number < 6:  # promised after 3 days; 3 of them come after 4
            arrived = documents.at(days=day + (4 if number < 3 else 2))
            own["tracker"].update(
                status="delivered", updated_at=arrived,
                est_delivery_date=documents.at(days=day + 3),
                tracking_details=[documents.detail(
                    0, "delivered", "Door", datetime=arrived)])
        else:
            own["tracker"]["status"] = ("in_transit" if number < 8
                                        else "failure")
        own["status"] = own["tracker"]["status"]
        several.append(own)
    path = "/v2/" + unique("views_")
    sim.canned("POST", path, {"shipments": several})
    got = client.post(path)
    assert got.content == compact({"shipments": several})
    stack.waybill("refresh")
    return carrier, city


def test_the_daily_view_has_true_numbers(db, history):
    carrier, _ = history
    rows = db("select shipment_count, total_cost, avg_cost, delivered_count, "
              "in_transit_count, failed_count from "
              "mv_daily_shipment_analytics where carrier = %s and "
              "service = 'Fast' order by date desc", carrier)
    assert [row[0] for row in rows] == [5, 5]
    assert [row[1] for row in rows] == [Decimal("17.50"), Decimal("42.50")]
    assert [row[2] for row in rows] == [Decimal("3.50"), Decimal("8.50")]
    assert [row[3:] for row in rows] == [(5, 0, 0), (1, 2, 2)]


def test_the_carriers_view_has_true_numbers(db, history):
    carrier, _ = history
    row = db.one("select total_shipments, total_revenue, total_cost, "
                 "avg_cost, delivered_count, on_time_rate from "
                 "mv_carrier_performance "
                 "where carrier = %s and service = 'Fast'", carrier)
    assert row[:5] == (10, Decimal("60.00"), Decimal("60.00"),
                       Decimal("6.00"), 6)
    assert row[5] in (Decimal("0.5"), Decimal("50")), row


def test_what_is_not_known_is_null(stack, sim, db):
    """Nothing promised, nothing delivered: no rate is invented."""
    client = Client(stack, stack.key_production)
    carrier = unique("Nulls")[:20]
    own = documents.shipment(bought=True, carrier=carrier, mode="production")
    own["selected_rate"].update(delivery_days=None, est_delivery_days=None)
    path = "/v2/" + unique("nulls_")
    sim.canned("POST", path, own)
    client.post(path)
    stack.waybill("refresh")
    row = db.one("select on_time_rate, avg_delivery_days from "
                 "mv_carrier_performance where carrier = %s", carrier)
    assert row == (None, None)


def test_routes_from_three_shipments_on(db, history):
    _, city = history
    rows = db("select t::text, shipment_count, total_cost from "
              "mv_top_routes t where t::text like %s", f"%{city}%")
    assert len(rows) == 1
    assert rows[0][1:] == (10, Decimal("60.00"))


def test_refreshing_twice_at_once(stack, db, history):
    before = db.one("select count(*) from mv_carrier_performance")

    def refresh(_):
        return subprocess.run(
            [os.path.join(stack.build, "waybill"), "-c", stack.conf_file,
             "refresh"], capture_output=True, text=True, check=False,
            timeout=60, env=ENVIRONMENT)

    with concurrent.futures.ThreadPoolExecutor(3) as threads:
        for done in threads.map(refresh, range(3)):
            assert done.returncode == 0, done.stderr
    assert db.one("select count(*) from mv_carrier_performance") == before


def test_refreshing_in_sql_twice_at_once(stack):
    def refresh(_):
        return stack.psql("select * from waybill.refresh_analytics_views()")

    with concurrent.futures.ThreadPoolExecutor(2) as threads:
        assert len(list(threads.map(refresh, range(2)))) == 2
