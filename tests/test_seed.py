"""The generated rows of the bench look like recorded ones: the same columns
filled, the same keys in every json, the same constraints kept."""

import json
import pathlib
import sys

import pytest

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent / "bench"))
import seed  # noqa: E402
from helpers import Client, wait_until  # noqa: E402

ROWS = 400
TABLES = ("addresses", "parcels", "shipments", "trackers", "shipment_events",
          "documents", "webhook_event_ids", "webhook_events")


@pytest.fixture(scope="module")
def seeded(tmp_path_factory):
    """A stack with generated rows, then one shipment through the front door."""
    from env.stack import Stack
    with Stack(tmp_path_factory.mktemp("seeded")) as one:
        definitions = schema(one)
        seed.seed(one.database_url, ROWS, documents=0.5, events=0.5)
        assert schema(one) == definitions
        one.bought = buy(one)
        yield one


def schema(stack):
    """Every index and constraint of the parents, as PostgreSQL writes it."""
    return stack.psql("""
        select pg_get_indexdef(i.indexrelid), pg_get_constraintdef(o.oid),
            i.indisvalid
        from pg_index i
        join pg_class x on x.oid = i.indexrelid and not x.relispartition
        left join pg_constraint o on o.conindid = x.oid
            and o.conrelid = i.indrelid
        where x.relnamespace = 'waybill'::regnamespace
        order by 1, 2""")


def buy(stack):
    """The EasyPost id of a shipment that was bought and has arrived."""
    client = Client(stack, stack.key_production)
    place = {"name": "Ann", "street1": "1 Main St", "city": "Reno",
             "state": "NV", "zip": "89501", "country": "US",
             "phone": "5555555555", "email": "ann@example.com"}
    made = client("POST", "/v2/shipments", json={"shipment": {
        "reference": "the-real-one", "from_address": place,
        "to_address": dict(place, city="Denver", state="CO", zip="80201"),
        "parcel": {"weight": 12.0, "length": 9.0, "width": 6.0,
                   "height": 2.0}}}).json()
    rate = next(one for one in made["rates"] if one["service"] == "Ground")
    bought = client("POST", f"/v2/shipments/{made['id']}/buy",
                    json={"rate": {"id": rate["id"]}}).json()

    def has_arrived():
        if stack.psql("select 1 from waybill.trackers where finalized"
                      f" and shipment_easypost_id = '{made['id']}'"):
            return True
        stack.sim.advance(bought["tracker"]["id"])
        return False

    wait_until(has_arrived, 30)
    return made["id"]


def rows(stack, table, is_real):
    """As dictionaries; the real ones are of the real shipment only."""
    real = {
        "addresses": "id in (select unnest(array[s.from_address_id,"
                     " s.to_address_id]) from waybill.shipments s where {0})",
        "parcels": "id in (select s.parcel_id from waybill.shipments s"
                   " where {0})",
        "shipments": "id in (select s.id from waybill.shipments s where {0})",
        "trackers": "shipment_id in (select s.id from waybill.shipments s"
                    " where {0})",
        "shipment_events": "shipment_id in (select s.id from waybill.shipments"
                           " s where {0})",
        "documents": "path like '%/buy' and easypost_id = '{1}'",
        "webhook_event_ids": "id in (select e.id from waybill.webhook_events e"
                             " join waybill.trackers k on k.easypost_id ="
                             " e.object_id join waybill.shipments s on s.id ="
                             " k.shipment_id where {0})",
        "webhook_events": "description = 'tracker.updated' and object_id in"
                          " (select k.easypost_id from waybill.trackers k join"
                          " waybill.shipments s on s.id = k.shipment_id"
                          " where {0})",
    }[table].format(f"s.easypost_id = '{stack.bought}'", stack.bought)
    found = [json.loads(row[0]) for row in stack.psql(
        f"select row_to_json(t)::text from waybill.{table} t"
        f" where {'' if is_real else 'not '}({real})")]
    assert found
    return found


def filled(found):
    return {name for row in found for name, value in row.items()
            if value is not None}


@pytest.mark.parametrize("table", TABLES)
def test_generated_rows_fill_what_recording_fills(seeded, table):
    missing = filled(rows(seeded, table, True)) - filled(
        rows(seeded, table, False))
    assert not missing


@pytest.mark.parametrize("table, column", [
    ("shipments", "rates_data"), ("shipments", "tracking_details"),
    ("shipments", "from_address"), ("shipments", "to_address"),
    ("shipments", "parcel"), ("trackers", "tracking_details"),
    ("trackers", "carrier_detail"), ("shipment_events", "tracking_location")])
def test_generated_json_has_the_keys_of_recorded_json(seeded, table, column):
    def shapes(found):
        return {tuple(one) for row in found if row[column]
                for one in (row[column] if isinstance(row[column], list)
                            else [row[column]])}
    real = shapes(rows(seeded, table, True))
    assert real <= shapes(rows(seeded, table, False))


def test_generated_rows_keep_the_foreign_keys(seeded):
    assert seeded.psql("""
        select count(*) from waybill.shipments s
        where not exists (select from waybill.addresses a
                where a.id = s.from_address_id)
            or not exists (select from waybill.addresses a
                where a.id = s.to_address_id)
            or not exists (select from waybill.parcels p
                where p.id = s.parcel_id)""") == [(0,)]


def test_a_generated_shipment_is_read_like_any(seeded):
    client = Client(seeded, seeded.key_production)
    [(key,)] = seeded.psql(
        "select easypost_id from waybill.shipments where mode = 'production'"
        " and status = 'delivered' and reference <> 'the-real-one' limit 1")
    shown = client("GET", f"/db/shipments/{key}")
    assert shown.status_code == 200
    assert shown.json()["data"]["easypost_id"] == key
    # Recording it again finds nothing newer: ids are made as recording does.
    [(known, derived)] = seeded.psql(
        "select id::text, waybill.easypost_uuid(created_at, easypost_id)::text"
        f" from waybill.shipments where easypost_id = '{key}'")
    assert known == derived
