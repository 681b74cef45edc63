"""Reading back: lists, one shipment, addresses."""

import datetime
import itertools
import re
import uuid
from decimal import Decimal

import psycopg2
import pytest

import documents
from helpers import (Client, assert_error, authorization, compact,
                     deliver_recorded, send, unique)

TIME = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d{1,6})?(Z|\+00:00)")


def money(value):
    """Money is a decimal string, never a number of JSON."""
    assert isinstance(value, str), value
    return Decimal(value)


def store(client, sim, document):
    path = "/v2/" + unique("store_")
    sim.canned("POST", path, document)
    got = client.post(path)
    assert got.content == compact(document)


class Shelf:
    """Seven shipments of a carrier that nobody else has."""

    def __init__(self, client, sim):
        self.carrier = unique("Carrier")[:20]
        self.batch = documents.new_id("batch")
        self.shipments = [documents.shipment(
            bought=True, carrier=self.carrier,
            service="Slow" if number % 2 else "Fast",
            created_at=documents.at(number // 2, days=-number // 2),
            reference=f"{self.carrier}-{number}",
            batch_id=self.batch if number < 3 else None,
            mode="production" if number == 6 else "test",
        ) for number in range(7)]
        for number, one in enumerate(self.shipments):
            one["tracker"]["status"] = "delivered" if number < 2 else "unknown"
            one["status"] = one["tracker"]["status"]
        store(client, sim, {"shipments": self.shipments, "has_more": False})


@pytest.fixture(scope="module")
def shelf(stack, sim):
    return Shelf(Client(stack, stack.key), sim)


def listed(client, query, path="/db/shipments"):
    got = client.get(f"{path}?{query}")
    assert got.status_code == 200, got.text
    document = got.json()
    assert set(document) >= {"status", "data"}
    assert document["status"] == "success"
    plural = path.rpartition("/")[2]
    data = document["data"]
    assert set(data) == {plural, "pagination"}
    page = data["pagination"]
    assert set(page) >= {"total", "limit", "offset", "has_more", "next"}
    assert isinstance(page["has_more"], bool)
    assert (page["next"] is not None) == page["has_more"]
    assert len(data[plural]) <= page["limit"]
    return data[plural], page


def numbers(shelf, rows):
    own = [one["id"] for one in shelf.shipments]
    return [own.index(row["easypost_id"]) for row in rows]


# --- the list ------------------------------------------------------------------


def test_a_list_has_its_rows_and_its_contract(client, shelf):
    rows, page = listed(client, f"carrier={shelf.carrier}")
    assert len(rows) == 7
    assert (page["total"], page["limit"], page["offset"]) == (7, 50, 0)
    assert page["has_more"] is False
    for row in rows:
        uuid.UUID(row["id"])
        assert row["carrier"] == shelf.carrier
        assert TIME.fullmatch(row["created_at"]), row["created_at"]
        assert TIME.fullmatch(row["updated_at"])
        assert money(row["total_cost"]) == Decimal("6.07")
        assert row["currency"] == "USD"
        assert row["from_address"]["city"] == "San Francisco"
        assert row["to_address"]["city"] == "Redondo Beach"
        assert row["parcel"]["weight"] == 15.4


def test_newest_first(client, shelf):
    rows, _ = listed(client, f"carrier={shelf.carrier}")
    order = [(row["created_at"], row["id"]) for row in rows]
    assert order == sorted(order, reverse=True)


@pytest.mark.parametrize("query,expected", [
    ("service=Fast", [0, 2, 4, 6]), ("service=Slow", [1, 3, 5]),
    ("service=None", []), ("status=delivered", [0, 1]),
    ("status=unknown&service=Fast", [2, 4, 6]), ("mode=production", [6]),
    ("mode=test", [0, 1, 2, 3, 4, 5]), ("batch_id={batch}", [0, 1, 2]),
    ("reference={carrier}-3", [3]), ("reference={carrier}-", []),
    ("status=delivered,unknown", [0, 1, 2, 3, 4, 5, 6]),
    ("status=delivered,failure&service=Fast", [0]),
    ('status=failure,"}},{{\\"', []),
    ("from_city=San+Francisco&to_city=Redondo+Beach", [0, 1, 2, 3, 4, 5, 6]),
    ("from_city=Redondo+Beach&to_city=San+Francisco", []),
    ("from_state=CA&from_country=US&to_state=CA&to_country=US&mode=production",
     [6]),
    ("to_state=", []), ("to_city=San", []),
])
def test_filters(client, shelf, query, expected):
    query = query.format(batch=shelf.batch, carrier=shelf.carrier)
    rows, page = listed(client, f"carrier={shelf.carrier}&{query}")
    assert sorted(numbers(shelf, rows)) == expected
    assert page["total"] == len(expected)


def test_an_empty_part_of_a_place_is_one_that_is_not_known(client, sim):
    """In a list as in a table for spreadsheets."""
    document = documents.shipment(bought=True, carrier=unique("None")[:20])
    document["to_address"].update(state=None, city="Berlin, Mitte")
    store(client, sim, document)
    query = f"carrier={document['selected_rate']['carrier']}&to_state="
    for more, count in (("", 1), ("&to_city=Berlin,+Mitte", 1), ("&to_city=", 0),
                        ("&from_state=", 0)):
        rows, page = listed(client, query + more)
        assert len(rows) == page["total"] == count, more
        table = client.get(f"/db/shipments?{query}{more}&format=csv").text
        assert len(table.splitlines()) == 1 + count, more


def test_filters_by_date(client, shelf):
    times = [one["created_at"] for one in shelf.shipments]
    everything = f"carrier={shelf.carrier}"
    for moment in sorted(set(times)):
        day = moment[:10]
        rows, _ = listed(client, f"{everything}&date_from={moment}")
        assert ({times[number] for number in numbers(shelf, rows)}
                == {one for one in times if one >= moment})
        rows, _ = listed(client, f"{everything}&date_from={day}")
        assert ({times[number] for number in numbers(shelf, rows)}
                == {one for one in times if one[:10] >= day})
    rows, _ = listed(client, f"{everything}&date_to={max(times)[:10]}")
    assert set(numbers(shelf, rows)) >= {
        number for number, one in enumerate(times)
        if one[:10] < max(times)[:10]}
    rows, page = listed(client, f"{everything}&date_from=2001-01-01"
                        "&date_to=2001-12-31T23:59:59Z")
    assert (rows, page["total"]) == ([], 0)


@pytest.mark.parametrize("form", [
    "2020-01-01", "2020-01-01T00:00:00Z", "2020-01-01T00:00:00.123Z",
    "2020-01-01T00:00:00%2B02:00", "2020-01-01T00:00:00-05:00"])
def test_forms_of_a_date(client, shelf, form):
    rows, _ = listed(client, f"carrier={shelf.carrier}&date_from={form}")
    assert len(rows) == 7


def test_values_are_decoded(client, sim):
    carrier = unique("Ca")[:12] + " & S\u00f8n+/%"
    store(client, sim, documents.shipment(bought=True, carrier=carrier))
    got = client.get("/db/shipments", params={"carrier": carrier})
    rows = got.json()["data"]["shipments"]
    assert [row["carrier"] for row in rows] == [carrier]
    encoded = "".join(f"%{byte:02x}" for byte in carrier.encode())
    rows, _ = listed(client, f"%63arrier={encoded}")
    assert len(rows) == 1


def test_an_empty_list(client):
    rows, page = listed(client, "carrier=" + unique())
    assert rows == []
    assert (page["total"], page["next"]) == (0, None)


# --- paging -------------------------------------------------------------------------


@pytest.mark.parametrize("limit", [1, 2, 3, 6, 7, 8])
def test_paging_by_offset(client, shelf, limit):
    everything, _ = listed(client, f"carrier={shelf.carrier}")
    seen = []
    for offset in itertools.count(0, limit):
        rows, page = listed(
            client, f"carrier={shelf.carrier}&limit={limit}&offset={offset}")
        assert (page["limit"], page["offset"]) == (limit, offset)
        assert page["total"] == 7
        assert page["has_more"] == (offset + limit < 7)
        seen += rows
        if not page["has_more"]:
            break
    assert seen == everything


def follow(query, page):
    """The next page's query: `next` is opaque and goes into `after`."""
    return f"{query}&after={page['next']}"


@pytest.mark.parametrize("limit", [1, 2, 3, 6, 7, 8])
def test_paging_by_cursor(client, shelf, limit):
    everything, _ = listed(client, f"carrier={shelf.carrier}")
    query = f"carrier={shelf.carrier}&limit={limit}"
    rows, page = listed(client, query)
    seen = list(rows)
    while page["has_more"]:
        rows, page = listed(client, follow(query, page))
        seen += rows
        assert len(seen) <= 7
    assert seen == everything


def test_a_cursor_is_not_moved_by_new_rows(client, sim, shelf):
    """With an offset a new row would show the last one again."""
    carrier = unique("Carrier")[:20]
    for number in range(4):
        store(client, sim, documents.shipment(
            bought=True, carrier=carrier, created_at=documents.at(number)))
    query = f"carrier={carrier}&limit=2"
    first, page = listed(client, query)
    store(client, sim, documents.shipment(
        bought=True, carrier=carrier, created_at=documents.at(99)))
    second, page = listed(client, follow(query, page))
    assert len({row["id"] for row in first + second}) == 4
    assert page["has_more"] is False


def test_the_largest_page(client, shelf):
    rows, page = listed(client, f"carrier={shelf.carrier}&limit=500")
    assert (len(rows), page["limit"]) == (7, 500)
    rows, page = listed(client, f"carrier={shelf.carrier}&offset=100000")
    assert (rows, page["total"], page["has_more"]) == ([], 7, False)


# --- one -----------------------------------------------------------------------------


@pytest.fixture(scope="module")
def told(stack, sim):
    """A shipment with customs, four addresses and a history."""
    client, nobody = Client(stack, stack.key), Client(stack)
    document = documents.shipment(
        bought=True, customs_info=documents.customs_info(),
        return_address=documents.address(city="Reno"),
        buyer_address=documents.address(city="Austin"))
    store(client, sim, document)
    steps = [documents.detail(minute, status, status.title())
             for minute, status in ((30, "delivered"), (10, "pre_transit"),
                                    (20, "in_transit"))]
    deliver_recorded(nobody, documents.event("tracker.updated", dict(
        document["tracker"], status="delivered", tracking_details=steps,
        updated_at=documents.at(31))))
    return document


def one_shipment(client, ref):
    got = client.get(f"/db/shipments/{ref}")
    assert got.status_code == 200, got.text
    document = got.json()
    assert document["status"] == "success"
    return document["data"].get("shipment", document["data"])


def test_by_any_of_its_names(client, db, told):
    own = db.row("shipments", told["id"])["id"]
    answers = [one_shipment(client, ref)
               for ref in (own, own.upper(), told["id"],
                           told["tracking_code"])]
    assert all(one == answers[0] for one in answers)
    assert answers[0]["easypost_id"] == told["id"]
    assert answers[0]["id"] == own


def test_everything_about_one(client, told):
    row = one_shipment(client, told["id"])
    for role in ("from", "to", "return", "buyer"):
        assert (row[f"{role}_address"]["easypost_id"]
                == told[f"{role}_address"]["id"])
    assert row["parcel"]["weight"] == 15.4
    assert row["customs_info"]["contents_type"] == "merchandise"
    assert len(row["rates"]) == 3
    assert sorted(one["rate"] for one in row["rates"]) == [
        "31.40", "6.07", "9.20"]
    assert row["status"] == "delivered"
    assert money(row["total_cost"]) == Decimal("6.07")
    assert row["base_cost"] == "6.07"
    assert TIME.fullmatch(row["created_at"])


def test_the_timeline_is_in_order(client, told):
    """Oldest first, as EasyPost keeps its histories."""
    events = one_shipment(client, told["id"])["events"]
    assert [one["status"] for one in events] == [
        "pre_transit", "in_transit", "delivered"]
    assert [one["datetime"] for one in events] == [
        documents.at(minute) for minute in (10, 20, 30)]


@pytest.mark.parametrize("ref", [
    "shp_" + "0" * 32, "00000000-0000-7000-8000-000000000000", "9400",
    "nothing", "%00", "a'b", "%27%20or%201=1--", "%F0%9F%9A%9A", "x" * 200,
    "shp_", "..%2f..", "%", "shp_*", "null", "-1", "%ff",
])
def test_unknown_ones(client, ref):
    got = client.get(f"/db/shipments/{ref}")
    assert_error(got, (400, 404), easypost=False)
    if re.fullmatch(r"(shp_)?[a-z0-9-]{4,64}", ref):
        assert_error(got, 404, "NOT_FOUND")


def test_a_deleted_shipment_is_not_there(client, sim, db):
    carrier = unique("Carrier")[:20]
    document = documents.shipment(bought=True, carrier=carrier)
    store(client, sim, document)
    assert len(listed(client, f"carrier={carrier}")[0]) == 1
    db("update shipments set deleted_at = now() where easypost_id = %s",
       document["id"])
    rows, page = listed(client, f"carrier={carrier}")
    assert (rows, page["total"]) == ([], 0)
    assert_error(client.get(f"/db/shipments/{document['id']}"), 404,
                 "NOT_FOUND")


def test_a_read_shows_what_was_just_written(client, sim):
    for _ in range(10):
        document = documents.shipment(bought=True)
        store(client, sim, document)
        row = one_shipment(client, document["id"])
        assert row["tracking_code"] == document["tracking_code"]


# --- addresses ------------------------------------------------------------------------


@pytest.fixture(scope="module")
def town(stack, sim):
    """Three addresses in a town of their own, used 3, 1 and 0 times."""
    client = Client(stack, stack.key)
    city = unique("Town")[:20]
    three, one, none = [documents.address(city=city, state=state, country=at)
                        for state, at in (("CA", "US"), ("NV", "US"),
                                          ("BC", "CA"))]
    for number in range(3):
        store(client, sim, documents.shipment(
            to_address=three, from_address=one if number == 0
            else documents.address(),
            return_address=documents.address(),
            buyer_address=documents.address()))
    store(client, sim, none)
    return city, three, one, none


def test_addresses_with_their_use(client, town):
    city, three, one, none = town
    rows, page = listed(client, f"city={city}", "/db/addresses")
    assert page["total"] == 3
    assert {row["easypost_id"]: row["usage_count"] for row in rows} == {
        three["id"]: 3, one["id"]: 1, none["id"]: 0}
    for row in rows:
        for field in ("id", "name", "company", "street1", "street2", "city",
                      "state", "zip", "country", "phone", "email",
                      "created_at", "updated_at", "verifications",
                      "is_residential", "carrier_facility",
                      "federal_tax_id", "state_tax_id"):
            assert field in row, field


@pytest.mark.parametrize("query,expected", [
    ("country=US", 2), ("country=CA", 1), ("state=NV", 1),
    ("state=CA&country=US", 1), ("state=ZZ", 0), ("country=DE", 0)])
def test_filters_of_addresses(client, town, query, expected):
    rows, page = listed(client, f"city={town[0]}&{query}", "/db/addresses")
    assert (len(rows), page["total"]) == (expected, expected)


def test_paging_of_addresses(client, town):
    query = f"city={town[0]}&limit=1"
    seen, page = listed(client, query, "/db/addresses")
    while page["has_more"]:
        rows, page = listed(client, follow(query, page), "/db/addresses")
        seen += rows
    assert len({row["id"] for row in seen}) == 3
    second, _ = listed(client, query + "&offset=1", "/db/addresses")
    assert second == seen[1:2]


# --- refusals --------------------------------------------------------------------------


LISTS = ["/db/shipments", "/db/addresses"]


@pytest.mark.parametrize("path", LISTS)
@pytest.mark.parametrize("query,code,name", [
    ("limit=0", "PARAMETER.INVALID", "limit"),
    ("limit=-1", "PARAMETER.INVALID", "limit"),
    ("limit=501", "PARAMETER.INVALID", "limit"),
    ("limit=1000000000", "PARAMETER.INVALID", "limit"),
    ("limit=99999999999999999999", "PARAMETER.INVALID", "limit"),
    ("limit=abc", "PARAMETER.INVALID", "limit"),
    ("limit=", "PARAMETER.INVALID", "limit"),
    ("limit", "PARAMETER.INVALID", "limit"),
    ("limit=5.0", "PARAMETER.INVALID", "limit"),
    ("limit=1e2", "PARAMETER.INVALID", "limit"),
    ("limit=0x10", "PARAMETER.INVALID", "limit"),
    ("limit=%205", "PARAMETER.INVALID", "limit"),
    ("limit=5%00", "PARAMETER.INVALID", "limit"),
    ("limit=%D9%A5", "PARAMETER.INVALID", "limit"),
    ("offset=-1", "PARAMETER.INVALID", "offset"),
    ("offset=100001", "PARAMETER.INVALID", "offset"),
    ("offset=x", "PARAMETER.INVALID", "offset"),
    ("after=x", "PARAMETER.INVALID", "after"),
    ("after=%00", "PARAMETER.INVALID", "after"),
    ("after=" + "A" * 500, "PARAMETER.INVALID", "after"),
    ("nonsense=1", "PARAMETER.UNKNOWN", "nonsense"),
    ("Limit=1", "PARAMETER.UNKNOWN", "Limit"),
    ("limit=1&limit=2", "PARAMETER.REPEATED", "limit"),
    ("limit=1&%6Cimit=1", "PARAMETER.REPEATED", "limit"),
    ("limit[]=1", "PARAMETER.UNKNOWN", "limit[]"),
])
def test_refusals_name_the_parameter(client, path, query, code, name):
    got = client.get(f"{path}?{query}")
    error = assert_error(got, 400, code, easypost=False)
    told_of = str(error["errors"]) + error["message"]
    assert name in told_of, error


@pytest.mark.parametrize("value", ["", ",", "a,", ",a", "a,,b", "a," + "b" * 65,
                                   ",".join("abcdefghijklmnopq")])
def test_words_that_are_none(client, value):
    error = assert_error(client.get(f"/db/shipments?status={value}"), 400,
                         "PARAMETER.INVALID", easypost=False)
    assert [one["field"] for one in error["errors"]] == ["status"]
    assert "1 to 16 words" in error["message"]


def test_an_unknown_parameter_is_told_which_exist(client):
    error = assert_error(client.get("/db/shipments?colour=red"), 400)
    told_of = str(error["errors"]) + error["message"]
    for name in ("carrier", "service", "status", "date_from", "date_to",
                 "batch_id", "mode", "limit", "offset"):
        assert name in told_of, name


@pytest.mark.parametrize("name", ["date_from", "date_to"])
@pytest.mark.parametrize("value", [
    "2026-02-30", "2026-13-01", "2026-00-10", "0000-00-00", "yesterday",
    "2026-1-1", "2026-01-01T25:00:00Z", "2026-01-01T00:60:00Z",
    "2026-01-01 00:00:00Z", "20260101", "now",
    "infinity", "1e10", "", "12026-01-01", "2026-01-01T00:00:00%2B99:00",
    "2026-01-01Z%00", "-infinity", "epoch"])
def test_dates_that_do_not_exist(client, name, value):
    got = client.get(f"/db/shipments?{name}={value}")
    error = assert_error(got, 400, "PARAMETER.INVALID", easypost=False)
    assert name in str(error["errors"]) + error["message"]


@pytest.mark.parametrize("path", ["/db/shipments", "/db/events", "/db/webhooks",
                                  "/db/batch-operations", "/db/user-activity",
                                  "/db/completeness"])
@pytest.mark.parametrize("first,last,is_range", [
    ("2026-11-02", "2026-11-01", False),
    ("2026-11-01T00:00:00Z", "2026-11-01T00:00:00Z", False),
    ("2026-11-01T00:00:00-01:00", "2026-11-01T00:30:00Z", False),
    ("2026-11-01", "2026-11-01", True),
    ("2026-11-01T00:00:00%2B01:00", "2026-11-01T00:00:00Z", True)])
def test_a_range_ends_behind_its_beginning(client, path, first, last,
                                           is_range):
    got = client.get(f"{path}?date_to={last}&date_from={first}")
    assert got.status_code == (200 if is_range else 400), got.text
    if not is_range:
        error = assert_error(got, 400, "PARAMETER.INVALID", easypost=False)
        assert [one["field"] for one in error["errors"]] == ["date_from"]
        assert "date_to" in error["message"]


@pytest.mark.parametrize("value", ["%00", "%ff", "%C3", "%zz", "%", "%2"])
def test_values_that_are_no_text(stack, value):
    """As they stand: a usual client would mend a lonely percent sign."""
    got = send(stack, "GET", f"/db/shipments?carrier={value}",
               {"Authorization": authorization(stack.key)})
    assert_error(got, 400, easypost=False)


@pytest.mark.parametrize("value", [
    "';drop table shipments;--", "' or '1'='1", "\\'; select pg_sleep(9)--",
    "%' or 1=1", "$$", "{}", "NULL", "\r\nX-Evil: 1", "<script>", "\\u0000"])
@pytest.mark.parametrize("name", ["carrier", "service", "status",
                                  "batch_id", "reference"])
def test_injections_find_nothing(client, db, shelf, name, value):
    got = client.get("/db/shipments", params={name: value})
    assert got.status_code in (200, 400), got.text
    if got.status_code == 200:
        assert got.json()["data"]["shipments"] == []
    assert "X-Evil" not in got.headers
    assert got.elapsed < datetime.timedelta(seconds=5)
    assert db.one("select count(*) from shipments where carrier = %s",
                  shelf.carrier) == 7


@pytest.mark.parametrize("path,method", [
    *itertools.product(LISTS, ["PUT", "PATCH", "DELETE", "BREW"]),
    *itertools.product(["/db/shipments/shp_1"], ["POST", "PUT", "BREW"])])
def test_other_verbs(client, path, method):
    got = client(method, path, data=b"{}" if method != "BREW" else None)
    assert_error(got, 405, "METHOD.NOT_ALLOWED", easypost=False)
    assert "GET" in got.headers["Allow"]


@pytest.mark.parametrize("path", LISTS)
def test_head(client, path):
    got = client("HEAD", path)
    assert (got.status_code, got.content) == (200, b"")
    assert got.headers["Content-Type"].startswith("application/json")


@pytest.mark.parametrize("path", ["/", "/db", "/db/", "/db/nothing",
                                  "/db/shipments/a/b", "/v3/shipments",
                                  "/DB/shipments", "/favicon.ico",
                                  "/db/shipments/", "/.git/config"])
def test_paths_that_do_not_exist(client, path):
    assert_error(client.get(path), 404, easypost=False)


@pytest.mark.parametrize("found_by", [
    "api.shipment where id = $1", "api.shipment where easypost_id = $1",
    "(select * from api.shipment where tracking_code = $1 offset 0) s"
    " order by created_at desc, id desc limit 1"])
def test_a_look_up_is_not_planned_anew_each_time(stack, shelf, found_by):
    """Planning it takes longer than the read: after PostgreSQL has tried five
    times, it has to find its plan for any value good enough."""
    connection = psycopg2.connect(stack.service_url)
    try:
        with connection.cursor() as cursor:
            cursor.execute("set role waybill_worker")
            cursor.execute("prepare look_up as"
                           f" select * from {found_by}")
            for _ in range(12):
                cursor.execute("execute look_up(%s)", (str(uuid.uuid4()),))
            cursor.execute("select generic_plans, custom_plans"
                           " from pg_prepared_statements"
                           " where name = 'look_up'")
            generic, custom = cursor.fetchone()
    finally:
        connection.close()
    assert custom == 5 and generic == 7


@pytest.mark.parametrize("path, columns, wanted", [
    ("/db/shipments?limit=2&reference=", "(reference, mode)", "shipments"),
    ("/db/addresses?limit=2&city=", "(city, mode)", "addresses")])
def test_large_totals_are_marked_as_estimates(client, stack, path, columns,
                                              wanted):
    """Counting everything would make each page as slow as the whole list."""
    name = unique("many_")
    try:
        for count, is_estimate in ((1000, False), (1, True)):
            stack.psql(f"insert into waybill.{wanted} {columns}"
                       f" select '{name}', 'test'"
                       f" from generate_series(1, {count})")
            got = client.get(path + name)
            assert got.status_code == 200, got.text
            told = got.json()["data"]["pagination"]
            assert told.get("total_is_estimate", False) is is_estimate
            assert told["total"] >= 1001 if is_estimate \
                else told["total"] == 1000
            assert told["has_more"] is True
    finally:
        stack.psql(f"delete from waybill.{wanted}"
                   f" where {columns[1:].split(',')[0]} = '{name}'")
