"""The figures as answers, and the sessions of the page."""

import csv
import datetime
import io
import json
from decimal import Decimal

import pytest

import documents
from env.stack import Stack
from fixtures import simulator
from helpers import (Client, Database, assert_error, deliver, unique,
                     wait_recorded, wait_until)
from test_figures import operate

DASHBOARD = "/db/analytics/dashboard"
COOKIE = "__Host-waybill"


@pytest.fixture(scope="module")
def own(tmp_path_factory):
    with Stack(tmp_path_factory.mktemp("dashboard"), conf={
            "WORKERS": "4", "WORKERS_OVERFLOW": "0"}) as one:
        one.sim_control = simulator(one)
        yield one


@pytest.fixture
def own_db(own):
    found = Database(own.database_url)
    yield found
    found.close()


@pytest.fixture
def reader(own):
    key = own.service.make_key(unique("r")[:20], "production", "read")
    client = Client(own, key)
    client.key = key
    return client


def through(own, *shipments):
    """Through the proxy, with the production key."""
    path = "/v2/" + unique("dashboard_")
    own.sim_control.canned("POST", path, {"shipments": list(shipments)})
    assert Client(own, own.key_production).post(path).status_code == 200
    wait_recorded(own)


def bought(days=0, price="5.00", carrier="USPS", arrives=None, status=None,
           currency="USD", city="Denver"):
    """Bought so many days ago, promised after three, arriving after some."""
    when = documents.NOW - documents.datetime.timedelta(days=days)

    def at(after):
        return (when + documents.datetime.timedelta(days=after)).strftime(
            "%Y-%m-%dT%H:%M:%SZ")

    own = documents.shipment(
        bought=True, carrier=carrier, price=price, mode="production",
        created_at=at(0), to_address=documents.address(city=city))
    own["selected_rate"]["currency"] = currency
    own["fees"] = [{"object": "Fee", "type": "PostageFee", "amount": price,
                    "charged": True, "refunded": False}]
    own["postage_label"]["created_at"] = at(0)
    if arrives is not None:
        status = "delivered"
        own["tracker"].update(updated_at=at(arrives), tracking_details=[
            documents.detail(0, "delivered", "Door", datetime=at(arrives))])
    own["tracker"]["status"] = own["status"] = status or "in_transit"
    return own


def data_of(client, path=DASHBOARD, **query):
    answer = client.get(path, params=query)
    assert answer.status_code == 200, answer.text
    return answer.json()["data"]


# --- nothing is known -------------------------------------------------------------------


def test_an_empty_database_invents_nothing(own, reader):
    """First of all here: no shipment has passed yet."""
    data = data_of(reader, days=7)
    assert data["as_of"] is None
    assert len(data["shipment_trends"]) == 7
    assert data["carrier_performance"] == data["top_routes"] == []
    for name, value in data["summary"].items():
        if name.endswith(("_rate", "_days", "_p50", "_p90")):
            assert value is None, name
    assert data["summary"]["costs"] == []
    stats = data_of(reader, "/stats")
    assert stats["total_shipments"] == {"value": 0, "change": None,
                                        "trend": None}
    assert stats["delivery_success_rate"]["value"] is None
    got = reader.get("/carrier-performance")
    assert got.json()["data"] == [] and "X-Waybill-As-Of" not in got.headers
    got = reader.get("/carrier-performance?format=csv")
    assert got.text.startswith("carrier,shipments,rate,")
    assert got.text.count("\n") == 1 or got.text.count("\r\n") == 1


# --- what is told --------------------------------------------------------------------------


@pytest.fixture(scope="module")
def story(own):
    """Four this week, two the week before; of two carriers and currencies."""
    through(own, bought(0, "5.00"), bought(4, "7.00", arrives=2),
            bought(5, "9.50", arrives=4.5), bought(6, "11.00", "FedEx",
                                                 status="failure"),
            bought(8, "4.00", arrives=1), bought(9, "4.00", arrives=1))
    return own


def test_the_dashboard_has_true_numbers(story, reader):
    data = data_of(reader, days=7)
    now, before = data["summary"], data["summary"]["previous"]
    assert data["mode"] == "production"
    assert (now["total_shipments"], before["total_shipments"]) == (4, 2)
    assert (now["delivered_count"], now["failed_count"],
            now["in_transit_count"]) == (2, 1, 1)
    assert now["costs"] == [{"currency": "USD", "total_cost": "32.50",
                             "avg_cost": "8.1250", "cost_sample": 4}]
    assert (now["on_time_rate"], now["on_time_sample"]) == (50, 2)
    assert before["on_time_rate"] == 100
    assert (now["success_rate"], now["success_sample"]) == (66.67, 3)
    assert (now["delivery_days_p50"], now["delivery_days_p90"]) == (2, 5)
    assert now["avg_delivery_days"] == 3.25
    assert [day["count"] for day in data["shipment_trends"]] == [
        1, 1, 1, 0, 0, 0, 1]
    assert [one["carrier"] for one in data["carrier_performance"]] == [
        "USPS", "FedEx"]
    assert data["carrier_performance"][1]["on_time_rate"] is None
    route = data["top_routes"][0]
    assert (route["to_city"], route["shipment_count"]) == ("Denver", 6)


def test_the_other_shapes_tell_the_same(story, reader):
    data = data_of(reader, "/analytics", days=7)
    assert data["summary"]["total_cost"] == "32.50"
    assert [(one["carrier"], one["shipments"])
            for one in data["by_carrier"]] == [("USPS", 3), ("FedEx", 1)]
    assert data["by_date"][-1] == {
        "date": data["summary"]["date_range"]["end"], "shipments": 1,
        "cost": "5.00", "currency": "USD"}
    stats = data_of(reader, "/stats", days=7)
    assert stats["total_shipments"] == {"value": 4, "change": "+100.0%",
                                        "trend": "up"}
    assert stats["total_cost"]["change"] == "+306.3%"
    assert stats["delivery_success_rate"]["trend"] == "down"
    assert stats["active_deliveries"] == {"value": 1, "change": None,
                                          "trend": None}
    carriers = data_of(reader, "/carrier-performance", days=7)
    assert [(one["carrier"], one["rate"], one["on_time_sample"])
            for one in carriers] == [("USPS", 50, 2), ("FedEx", None, 0)]


def test_csv_has_the_same_figures(story, reader):
    def rows(path):
        got = reader.get(path, params={"format": "csv", "days": 7})
        assert got.headers["Content-Type"].startswith("text/csv")
        return list(csv.DictReader(io.StringIO(got.text)))

    daily = rows(DASHBOARD)
    assert sum(int(row["shipments"]) for row in daily) == 4
    assert sum(Decimal(row["total_cost"]) for row in daily) == Decimal("32.5")
    assert sorted((row["delivery_days_p50"], row["delivery_days_p90"])
                  for row in daily) == [("", ""), ("", ""), ("2", "2"), ("5", "5")]
    assert rows("/analytics") == daily
    assert [row["carrier"] for row in rows("/carrier-performance")] == [
        "USPS", "FedEx"]
    stats = {row["figure"]: (row["value"], row["currency"])
             for row in rows("/stats")}
    assert stats["total_shipments"] == ("4", "")
    assert stats["total_cost"] == ("32.50", "USD")


def test_every_shape_says_as_of_when(story, reader):
    """Where JSON has no room for it, in a header; in a table that somebody keeps,
    in each line."""
    as_of = data_of(reader, days=7)["as_of"]
    assert as_of is not None
    for path in ("/analytics", "/stats"):
        assert data_of(reader, path, days=7)["as_of"] == as_of
    assert reader.get("/carrier-performance?days=7").headers[
        "X-Waybill-As-Of"] == as_of
    tables = [reader.get(path, params={"format": "csv", "days": 7}).text
              for path in (DASHBOARD, "/analytics", "/carrier-performance",
                           "/stats")]
    tables += [story.waybill("report", "--days", "7", form)
               for form in ("--csv", "--daily")]
    for table in tables:
        assert {row["as_of"] for row in csv.DictReader(
            io.StringIO(table))} == {as_of}


def test_a_table_that_is_too_large_is_refused(story, reader, own_db):
    """And written whole in a terminal, where it need not be held."""
    own_db("insert into shipment_days select current_date - n % 400, "
           "'production', 'Wide' || n, repeat('-', 1500), '', "
           "0, 1, 0, 0, 0, 0, 0, 0, 0, 0.0, 0, 0, 0 "
           "from generate_series(1, 12000) n")
    try:
        path = DASHBOARD + "?format=csv&days="
        answer = reader.get(path + "730")
        assert_error(answer, 400, "PARAMETER.INVALID")
        assert "fewer days" in answer.text and "16 MiB" in answer.text
        assert reader.get(path + "7").text.count("Wide") == 210
        told = story.waybill("report", "--daily", "--days", "730")
        assert told.count("Wide") == 12000 and len(told) > 16 << 20
    finally:
        own_db("delete from shipment_days where carrier like 'Wide%'")


def test_currencies_are_never_added_up(story, reader):
    through(story, bought(20, "100.00", currency="EUR", carrier="DHL"))
    data = data_of(reader, days=30)
    assert {one["currency"]: one["total_cost"]
            for one in data["summary"]["costs"]} == {"USD": "40.50",
                                                     "EUR": "100.00"}
    assert data_of(reader, "/analytics", days=30)["summary"][
        "total_cost"] is None
    assert data_of(reader, "/stats", days=30)["total_cost"]["value"] is None


def is_ready(db, days):
    """Whether the answers of so many days are ready, of both modes."""
    return db.one("select count(*) from shipment_deltas") == 0 and \
        db.one("select count(*) from dashboards where days = %s and since = "
               "half_day()", days) == 2


def test_what_is_ready_and_what_is_counted_now_are_the_same(story, reader,
                                                            own_db):
    """7 days are kept ready, 8 are not; before and after a merge."""
    wait_until(lambda: is_ready(own_db, 7), 30, "a merge")
    calm = {days: data_of(reader, days=days) for days in (7, 8)}
    own_db("begin; select pg_advisory_xact_lock("
           "hashtextextended('waybill.merge', 0))")
    try:
        through(story, bought(0, "1.00", city="Boise"))
        seen = {days: data_of(reader, days=days) for days in (7, 8)}
        for days in (7, 8):
            assert (seen[days]["summary"]["total_shipments"]
                    == calm[days]["summary"]["total_shipments"] + 1)
            assert seen[days]["as_of"] > calm[days]["as_of"]
    finally:
        own_db("rollback")
    wait_until(lambda: is_ready(own_db, 7), 30, "a merge")
    assert {days: data_of(reader, days=days) for days in (7, 8)} == seen


def test_what_is_ready_is_what_is_sent(story, reader, own_db):
    """As it lies there: of the mode that is asked for, and of the one that counts."""
    wait_until(lambda: is_ready(own_db, 30), 30, "a merge")
    own_db("begin; select pg_advisory_xact_lock("
           "hashtextextended('waybill.merge', 0))")
    changer = Database(story.database_url)
    try:
        changer("update dashboards set body = jsonb_set(body::jsonb, '{days}', '31') "
                "where days = 30")
        for asked in ({}, {"mode": "production"}):
            assert data_of(reader, days=30, **asked)["days"] == 31
        changer("update dashboards set since = since - interval '12 hours'")
        assert data_of(reader, days=30)["days"] == 30
    finally:
        changer("update dashboards set since = '-infinity'")
        changer.close()
        own_db("rollback")
    wait_until(lambda: is_ready(own_db, 30), 30, "a merge")
    assert data_of(reader, days=30)["days"] == 30


@pytest.mark.parametrize("path", [DASHBOARD, "/analytics", "/stats",
                                  "/carrier-performance"])
def test_an_unchanged_answer_is_not_sent_again(story, reader, path):
    first = reader.get(path)
    again = reader.get(path, headers={
        "If-None-Match": first.headers["ETag"]})
    assert (again.status_code, again.content) == (304, b"")


def test_late_and_failed_lead_to_their_lists(story, reader):
    before = data_of(reader, days=30)["attention"]["late_count"]
    through(story, bought(9, "2.00", city="Late"))
    attention = data_of(reader, days=30)["attention"]
    late = data_of(reader, "/db/shipments", late="true", mode="production")
    failed = data_of(reader, "/db/shipments", failed="true")
    assert attention["late_count"] == before + 1
    assert late["pagination"]["total"] == before + 1
    assert "Late" in [one["to_address"]["city"] for one in late["shipments"]]
    assert attention["failed_count"] == failed["pagination"]["total"] == 1
    assert failed["shipments"][0]["status"] == "failure"


def test_what_failed_last_comes_first(story, reader):
    """Whenever it was made; also that of which the period knows nothing."""
    carrier = unique("Fell")[:20]

    def failed(days, since):
        one = bought(days, city=f"Day {days}", carrier=carrier, status="failure")
        when = documents.NOW - documents.datetime.timedelta(days=since)
        one["updated_at"] = one["tracker"]["updated_at"] = when.strftime(
            "%Y-%m-%dT%H:%M:%SZ")
        return one

    through(story, failed(12, 7), failed(60, 0), failed(3, 2), failed(5, 4))
    right = ["Day 60", "Day 3", "Day 5", "Day 12"]
    query = {"failed": "true", "carrier": carrier}
    rows = data_of(reader, "/db/shipments", **query)["shipments"]
    assert [one["to_address"]["city"] for one in rows] == right
    assert [one["updated_at"] for one in rows] == sorted(
        (one["updated_at"] for one in rows), reverse=True)
    seen, after = [], {}
    while after is not None:
        page = data_of(reader, "/db/shipments", limit=1, **query, **after)
        seen += [one["to_address"]["city"] for one in page["shipments"]]
        after = page["pagination"]["next"]
        after = after and {"after": after}
    assert seen == right
    table = reader.get("/db/shipments", params={"format": "csv", **query}).text
    assert [row["to_city"] for row in csv.DictReader(
        io.StringIO(table))] == right


def test_the_most_overdue_come_first(story, reader):
    """In pages, in tables and in lines alike."""
    carrier = unique("Over")[:20]
    through(story, *[bought(days, city=f"Day {days}", carrier=carrier)
                     for days in (11, 30, 6, 21)])
    query = {"late": "true", "carrier": carrier}
    right = [f"Day {days}" for days in (30, 21, 11, 6)]

    def cities(**more):
        return [one["to_address"]["city"] for one in data_of(
            reader, "/db/shipments", **query, **more)["shipments"]]

    assert cities() == right
    assert cities(limit=2, offset=1) == right[1:3]
    seen, after = [], {}
    while after is not None:
        page = data_of(reader, "/db/shipments", limit=1, **query, **after)
        seen += [one["to_address"]["city"] for one in page["shipments"]]
        after = page["pagination"]["next"]
        after = after and {"after": after}
    assert seen == right
    table = reader.get("/db/shipments", params={"format": "csv", **query}).text
    rows = list(csv.DictReader(io.StringIO(table)))
    assert [row["to_city"] for row in rows] == right
    assert {row["is_late"] for row in rows} == {"true"}
    lines = reader.get("/db/shipments", params={
        "format": "ndjson", **query}).text.splitlines()
    assert [json.loads(line)["to_address"]["city"] for line in lines] == right
    assert all(line.count('"promised_at"') == 1 for line in lines)


def test_a_promise_alone_makes_an_answer_anew(story, reader, own_db):
    """Who is late is no sum of days: a promise that changes alone changes it, and
    the answer that was ready is none any more."""
    client = Client(story, story.key_production)
    own = client.post("/db/shipments", document={
        "reference": unique("promise-"), "status": "in_transit"}).json()["data"]
    wait_until(lambda: is_ready(own_db, 30), 30, "a merge")
    before = data_of(reader, days=30)["attention"]["late_count"]
    assert client("PATCH", "/db/shipments/" + own["id"], json={
        "delivery_date": "2020-01-01T00:00:00Z"}).status_code == 200
    late = data_of(reader, "/db/shipments", late="true", mode="production")
    assert late["pagination"]["total"] == before + 1
    assert data_of(reader, days=30)["attention"]["late_count"] == before + 1
    wait_until(lambda: is_ready(own_db, 30), 30, "a merge")
    assert data_of(reader, days=30)["attention"]["late_count"] == before + 1
    assert client("DELETE", "/db/shipments/" + own["id"]).status_code == 200


def test_promises_that_move_against_each_other(story, reader, own_db):
    """One to later and one to earlier, by as much: what was ready is none any more,
    though nothing has changed in sum."""
    ids = [row[0] for row in own_db(
        "insert into shipments (status, mode, promised_at) select 'in_transit', "
        "'production', now() + n * interval '1 day' "
        "from unnest(array[-5, 30]) n returning id")]
    wait_until(lambda: is_ready(own_db, 30), 30, "a merge")
    before = data_of(reader, days=30)["attention"]["late_count"]
    own_db("update shipments set promised_at = promised_at + interval '10 days' "
           "* case when promised_at < now() then 1 else -1 end "
           "where id = any(%s::uuid[])", ids)
    assert data_of(reader, days=30)["attention"]["late_count"] == before - 1
    own_db("delete from shipments where id = any(%s::uuid[])", ids)


def test_an_event_is_in_the_next_answer(story, reader):
    shipment = bought(1, "3.00")
    through(story, shipment)
    before = data_of(reader, days=7)["summary"]["delivered_count"]
    tracker = dict(shipment["tracker"], status="delivered",
                   updated_at=documents.at(minutes=9000), tracking_details=[
                       documents.detail(1, "delivered", "Door")])
    assert deliver(Client(story), documents.event(
        "tracker.updated", tracker)).status_code == 200
    assert data_of(reader, days=7)["summary"]["delivered_count"] == before + 1


# --- sessions -------------------------------------------------------------------------------


def sign_in(own, key, **headers):
    return Client(own).post("/dashboard/session", document={"key": key},
                            headers=headers)


def with_cookie(own, token):
    client = Client(own)
    return lambda method, path, **more: client(
        method, path, headers={"Cookie": f"other=1; {COOKIE}={token}"}, **more)


@pytest.fixture
def session(own, reader):
    answer = sign_in(own, reader.key)
    assert answer.status_code == 200
    assert answer.json()["data"]["mode"] == "production"
    return answer.cookies[COOKIE]


def test_a_session_may_read_and_nothing_else(own, session):
    ask = with_cookie(own, session)
    assert ask("GET", "/dashboard/session").status_code == 200
    for path in (DASHBOARD, "/db/shipments", "/health", "/stats"):
        assert ask("GET", path).status_code == 200
    assert_error(ask("POST", "/db/shipments", json=[]), 401)
    assert_error(ask("GET", "/v2/shipments"), 401)
    assert_error(ask("POST", "/shipments/buy", json={}), 401)
    # reads, but by a method that other sites' forms have
    assert_error(ask("POST", "/shipments/batch-track", json={
        "tracking_codes": ["EZ1000000001"]}), 401)


def test_a_session_of_a_mighty_key_only_reads(own):
    token = sign_in(own, own.key_production).cookies[COOKIE]
    ask = with_cookie(own, token)
    assert ask("GET", "/db/shipments").status_code == 200
    assert_error(ask("DELETE", "/db/shipments/" + unique("shp_")), 401)


def test_nobody_is_told_so_without_a_refusal(own):
    answer = Client(own).get("/dashboard/session")
    assert (answer.status_code, answer.json()["data"]) == (200, None)
    assert_error(Client(own, "wb_" + "x" * 43).get("/dashboard/session"), 401)


def test_the_cookie_is_out_of_reach(own, reader):
    answer = sign_in(own, reader.key)
    rules = {word.strip().lower()
             for word in answer.headers["Set-Cookie"].split(";")[1:]}
    assert {"httponly", "secure", "samesite=strict", "path=/"} <= rules
    assert answer.headers["Cache-Control"] == "no-store"


@pytest.mark.parametrize("key", ["wb_" + "x" * 43, "x", "'; drop table", "é"])
def test_a_wrong_key_begins_nothing(own, own_db, key):
    before = own_db.one("select count(*) from sessions")
    answer = sign_in(own, key)
    assert_error(answer, 401, "AUTHENTICATION.INVALID")
    assert "Set-Cookie" not in answer.headers
    assert "Basic" not in answer.headers["WWW-Authenticate"]
    assert own_db.one("select count(*) from sessions") == before


def test_a_key_that_may_not_read_begins_nothing(own):
    key = own.service.make_key(unique("w")[:20], "test", "write")
    assert_error(sign_in(own, key), 401, "AUTHENTICATION.INVALID")


@pytest.mark.parametrize("body", [
    b"", b"{", b"[]", b"{}", b'{"key":7}', b'{"key":""}', b'{"key":"a","b":1}',
    b'{"key":"' + b"k" * 256 + b'"}'])
def test_bad_bodies_begin_nothing(own, body):
    answer = Client(own).post("/dashboard/session", data=body, headers={
        "Content-Type": "application/json"})
    assert answer.status_code in (400, 422)


def test_signing_out_ends_it(own, session):
    ask = with_cookie(own, session)
    answer = ask("DELETE", "/dashboard/session")
    assert answer.status_code == 204
    assert "Max-Age=0" in answer.headers["Set-Cookie"]
    wait_until(lambda: ask("GET", "/dashboard/session").status_code == 401,
               10, "the end of the session")
    assert ask("DELETE", "/dashboard/session").status_code == 204


def test_a_session_ends_with_its_key_and_its_time(own, own_db):
    for sql in ("update sessions set expires_at = now() where key_id = %s",
                "update api_keys set revoked_at = now() where id = %s"):
        key = own.service.make_key(unique("e")[:20], "test", "read")
        ask = with_cookie(own, sign_in(own, key).cookies[COOKIE])
        assert ask("GET", "/dashboard/session").status_code == 200
        own_db(sql, own_db.one(
            "select id from api_keys order by created_at desc limit 1"))
        wait_until(lambda: ask("GET", "/db/events").status_code == 401,
                   10, "the end of the session")


def test_only_its_digest_is_kept(own, own_db, session):
    assert session not in str(own_db("select * from sessions"))
    for name, log in own.logs({}).items():
        assert session.encode() not in log, name


@pytest.mark.parametrize("cookie", [
    f"{COOKIE}=", f"{COOKIE}={'A' * 44}", f"{COOKIE}", "x=1", ";;;",
    f"{COOKIE}={'A' * 5000}"])
def test_odd_cookies_are_no_sessions(own, cookie):
    answer = Client(own).get(DASHBOARD, headers={"Cookie": cookie})
    assert_error(answer, 401)


def test_a_browsers_script_gets_no_dialogue(own):
    answer = Client(own).get(DASHBOARD, headers={
        "Sec-Fetch-Site": "same-origin"})
    assert answer.status_code == 401
    assert answer.headers["WWW-Authenticate"].startswith("Bearer")
    assert "Basic" in Client(own).get(DASHBOARD).headers["WWW-Authenticate"]


# --- the page ----------------------------------------------------------------------------------


def test_the_page_is_served_to_everybody(own):
    client = Client(own)
    page = client.get("/dashboard/")
    assert page.status_code == 200
    assert page.headers["Content-Type"].startswith("text/html")
    policy = page.headers["Content-Security-Policy"]
    assert "default-src 'none'" in policy and "unsafe" not in policy
    for name, kind in {"dashboard.js": "text/javascript",
                       "vendor/uplot/uPlot.esm.js": "text/javascript",
                       "dashboard.css": "text/css",
                       "icon.svg": "image/svg+xml"}.items():
        got = client.get("/dashboard/" + name)
        assert got.headers["Content-Type"].startswith(kind), name
    assert client.get("/dashboard", allow_redirects=False).headers[
        "Location"] == "/dashboard/"
    assert_error(client.get("/dashboard/nothing.js"), 404)
    assert_error(client.post("/dashboard/", data=b""), 405)


# --- in the terminal, and what the machine did ------------------------------------------------


def test_the_report_tells_the_same(story, reader, own_db):
    data = data_of(reader, days=30)
    told, *said = story.waybill("report").splitlines()
    assert told == (f"production mode, {data['date_from']} to "
                    f"{data['date_to']} (UTC), as of {data['as_of']}")
    assert said[0].split()[:4] == ["part", "name", "shipments", "change"]
    assert said[1].split()[:2] == [
        "carrier", data["carrier_performance"][0]["carrier"]]
    total = [line.split() for line in said if line.startswith("total")]
    assert {int(words[3]) for words in total} == {
        data["summary"]["total_shipments"]}
    rows = list(csv.DictReader(io.StringIO(
        story.waybill("report", "--days", "7", "--daily"))))
    assert sum(int(row["shipments"]) for row in rows) == data_of(
        reader, days=7)["summary"]["total_shipments"]


def test_the_report_as_csv_has_each_figure_of_the_page(story, reader):
    data = data_of(reader, days=7)
    rows = list(csv.DictReader(io.StringIO(
        story.waybill("report", "--days", "7", "--csv"))))

    def part(name):
        return [row for row in rows if row["part"] == name]

    summary = data["summary"]
    assert [row["currency"] for row in part("total")] == [
        one["currency"] for one in summary["costs"]]
    total = part("total")[0]
    assert int(total["shipments"]) == summary["total_shipments"]
    assert int(total["on_time_sample"]) == summary["on_time_sample"]
    assert Decimal(total["total_cost"]) == Decimal(
        summary["costs"][0]["total_cost"])
    before = summary["previous"]["total_shipments"]
    assert int(part("before")[0]["shipments"]) == before > 0
    assert Decimal(total["change_percent"]) == round(
        Decimal(100 * (summary["total_shipments"] - before)) / before, 1)
    [late] = part("late")
    assert int(late["shipments"]) == data["attention"]["late_count"]
    assert late["delivered"] == late["total_cost"] == ""
    assert [row["name"] for row in part("carrier")] == [
        one["carrier"] for one in data["carrier_performance"]
        for _ in one["costs"] or [None]]
    assert [(row["name"], int(row["shipments"])) for row in part("route")] == [
        (f"{one['from_city']} {one['from_state']} {one['from_country']} -> "
         f"{one['to_city']} {one['to_state']} {one['to_country']}",
         one["shipment_count"]) for one in data["top_routes"]
        for _ in one["costs"] or [None]]
    assert {row["mode"] for row in rows} == {"production"}
    first, last = map(datetime.date.fromisoformat, (data["date_from"],
                                                    data["date_to"]))
    week = datetime.timedelta(days=7)
    assert {(row["part"], row["date_from"], row["date_to"]) for row in rows} == {
        (name, str(begin or ""), str(end or "")) for name, begin, end in (
            ("carrier", first, last), ("total", first, last),
            ("before", first - week, last - week), ("late", None, None),
            ("route", last - datetime.timedelta(days=89), last))}


def test_the_report_of_nothing(own):
    """Which mode it is of is told; CSV has its header."""
    assert own.waybill("report", "--mode", "test").startswith("test mode, ")
    rows = own.waybill("report", "--mode", "test", "--daily", "--days", "1")
    assert rows.startswith("date,mode,carrier,") and rows.count("\n") == 1
    rows = list(csv.DictReader(io.StringIO(
        own.waybill("report", "--mode", "test", "--csv"))))
    assert [(row["part"], row["shipments"], row["on_time_rate"], row["total_cost"])
            for row in rows] == [("total", "0", "", ""), ("before", "0", "", ""),
                                 ("late", "0", "", "")]


@pytest.mark.parametrize("words", [
    ("--days", "0"), ("--days", "731"), ("--days", "x"), ("--days",),
    ("--mode", "live"), ("more",), ("--colour",)])
def test_wrong_words_to_the_report(own, words):
    status, said, log = operate(own, "report", *words)
    assert (status, said) == (2, "")
    assert "usage" in log


def test_each_minute_has_its_row(own, own_db, reader):
    """Asked for by hand: the jobs do it once a minute."""
    assert reader.get("/stats").status_code == 200
    wait_until(lambda: own_db.one(
        "select count(*) from user_activities where timestamp < now() - "
        "interval '5 seconds' and timestamp > now() - interval '1 minute'"),
        30, "what was asked for")
    own_db("select admin.record_system_metrics('here', '"
           '{"cpu_usage_percent":12.5,"cpu_cores_used":0.25,'
           '"memory_usage_mb":100.5,"memory_percent":1.5,'
           '"disk_usage_percent":33,"active_connections":2,"db_pool_size":4,'
           '"db_connections_limit":9}'"')")
    row = own_db.one(
        "select total_requests > 0, error_rate is not null, "
        "avg_response_time_ms > 0, p95_response_time_ms <= "
        "p99_response_time_ms, cpu_usage_percent, db_pool_size, "
        "db_connections_limit, "
        "cache_hit_rate + cache_miss_rate from system_metrics "
        "where host = 'here'")
    assert row == (True, True, True, True, Decimal("12.5"), 4, 9, 100)


def test_nothing_of_the_machine_is_left_out(own, own_db):
    """The first minute of a session only begins to count."""
    reader = Database(own.database_url)
    assert own.psql("select 1") == [(1,)]  # a transaction of another session
    own_db("select set_config('waybill.transactions', '', false)")
    for host in ("first", "second"):
        own_db("select pg_stat_clear_snapshot()")
        own_db("select admin.record_system_metrics(%s, '{}')", host)
        reader("select pg_stat_force_next_flush()")
    reader.close()
    names = ("active_connections, db_pool_size, db_slow_queries, "
             "db_connections_active, db_connections_idle, db_query_count")
    first, second = own_db(f"select {names} from system_metrics where host in "
                           "('first', 'second') order by timestamp")
    assert first[:2] == (None, None) and first[5] is None
    assert second[2] >= 0 and second[3] >= 0 and second[5] >= 0
    assert second[4] >= 1  # a worker that waits
