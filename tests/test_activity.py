"""user_activities: a row for each request of each pool, whatever happens."""

import datetime
import json
import os
import re
import signal
import subprocess
import uuid
from decimal import Decimal

import pytest

import documents
from env.stack import Stack
from fixtures import simulator
from helpers import (Client, Database, changed_settings, deliver, parallel, send,
                     setting, unique, wait_until)

COLUMNS = ("id, user_id, session_id, timestamp, action, resource, resource_id,"
           " method, endpoint, user_agent, host(ip_address) as ip_address,"
           " status_code, response_time_ms, error_message, extra_metadata,"
           " request_id")
LIMIT_S = 20  # a file is renamed in one round and read in a later one


def rows_of(db, request_id):
    with db.connection.cursor() as cursor:
        cursor.execute(f"select {COLUMNS} from user_activities "
                       "where request_id = %s", (request_id,))
        names = [column.name for column in cursor.description]
        return [dict(zip(names, row)) for row in cursor.fetchall()]


def row_of(db, answer):
    """The one row of an answer; waits for the jobs."""
    request_id = answer.headers["X-Request-Id"]
    rows = wait_until(lambda: rows_of(db, request_id), LIMIT_S,
                      f"the row of {request_id}")
    assert len(rows) == 1, rows
    return rows[0]


def key_id(db, name="tests"):
    return str(db.one("select id from api_keys where name = %s", name))


# --- the values --------------------------------------------------------------------


def test_a_read(client, db):
    before = datetime.datetime.now(datetime.timezone.utc)
    got = client.get("/db/shipments?limit=1",
                     headers={"User-Agent": "shop/1.0"})
    after = datetime.datetime.now(datetime.timezone.utc)
    assert got.status_code == 200
    row = row_of(db, got)
    slack = datetime.timedelta(seconds=0.01)  # two clocks are read
    assert before - slack <= row["timestamp"] <= after
    assert uuid.UUID(row["id"]).version == 7
    assert db.one("select abs(date_part('epoch', uuid_time(id) - timestamp)) "
                  "< 5 from user_activities where id = %s", row["id"])
    assert 0 < row["response_time_ms"] <= Decimal(
        (after - before).total_seconds() * 1000)
    more = row.pop("extra_metadata")
    assert {name: row[name] for name in row
            if name not in ("id", "timestamp", "response_time_ms")} == {
        "user_id": key_id(db), "session_id": None, "action": "read",
        "resource": "shipments", "resource_id": None, "method": "GET",
        "endpoint": "/db/shipments", "user_agent": "shop/1.0",
        "ip_address": "127.0.0.1", "status_code": 200, "error_message": None,
        "request_id": got.headers["X-Request-Id"]}
    assert more["pool"] == "read" and more["mode"] == "test"
    assert more["route"] == "/db/shipments"
    assert more["bytes"] > 50 and more["upstream_ms"] == 0
    assert 0 < more["database_ms"]
    assert "client_gone" not in more


def test_one_shipment_of_ours(client, db):
    name = str(uuid.uuid4())
    got = client.get(f"/db/shipments/{name}")
    row = row_of(db, got)
    assert (row["action"], row["resource"], row["resource_id"]) == (
        "read", "shipments", name)
    assert (row["status_code"], row["error_message"]) == (404, "NOT_FOUND")
    assert row["extra_metadata"]["route"] == "/db/shipments/{id}"


PROXIED = [
    ("GET", "/v2/addresses/adr_1", "read", "addresses", "adr_1"),
    ("POST", "/v2/shipments", "create", "shipments", None),
    ("POST", "/v2/shipments/shp_1/buy", "buy", "shipments", "shp_1"),
    ("POST", "/v2/shipments/shp_2/refund", "refund", "shipments", "shp_2"),
    ("POST", "/v2/trackers/create_list", "create", "trackers", None),
    ("PATCH", "/v2/users/user_1", "update", "users", "user_1"),
    ("DELETE", "/v2/webhooks/hook_1", "delete", "webhooks", "hook_1"),
    ("POST", "/beta/rates", "create", "rates", None),
]


def test_the_proxy(client, db):
    answers = [client(method, path) for method, path, *_ in PROXIED]
    for (method, path, *expected), got in zip(PROXIED, answers):
        row = row_of(db, got)
        assert [row["action"], row["resource"],
                row["resource_id"]] == expected
        assert (row["method"], row["endpoint"]) == (method, path)
        assert row["status_code"] == got.status_code
        assert row["extra_metadata"]["pool"] == "upstream"
        assert row["extra_metadata"]["upstream_ms"] > 0


def test_easypost_keys_are_users(stack, db):
    for name, user, mode in (
            ("EASYPOST_TEST_API_KEY", "easypost-test", "test"),
            ("EASYPOST_API_KEY", "easypost", "production")):
        got = Client(stack, setting(stack, name)).get("/v2/addresses/adr_1")
        row = row_of(db, got)
        assert row["user_id"] == user
        assert row["extra_metadata"]["mode"] == mode


def test_a_webhook(nobody, db):
    got = deliver(nobody, documents.event("batch.updated", documents.batch()))
    assert got.status_code == 200
    row = row_of(db, got)
    assert (row["action"], row["resource"], row["method"]) == (
        "webhook", "webhooks", "POST")
    assert row["user_id"] is None
    assert row["extra_metadata"]["pool"] == "webhook"
    assert "mode" not in row["extra_metadata"]


def test_refusals(stack, nobody, client, db):
    bad = deliver(nobody, documents.event("batch.updated", documents.batch()),
                  secret="wrong")
    for got, status, code in (
            (nobody.get("/db/shipments"), 401, "AUTHENTICATION.REQUIRED"),
            (client.get("/db/shipments?limit=0"), 400, "PARAMETER.INVALID"),
            (client.get("/nothing/at/all"), 404, "NOT_FOUND"),
            (client.post("/health"), 405, "METHOD.NOT_ALLOWED"),
            (bad, 401, "SIGNATURE.INVALID")):
        row = row_of(db, got)
        assert (row["status_code"], row["error_message"]) == (status, code)
    weak = stack.service.make_key(unique("weak "), "test", scopes="write")
    row = row_of(db, Client(stack, weak).get("/db/shipments"))
    assert row["error_message"] == "SCOPE.INSUFFICIENT"
    assert row["user_id"] and row["user_id"] != key_id(db)


def test_what_matches_no_route_has_no_resource(client, db):
    row = row_of(db, client.get("/some/thing"))
    assert (row["resource"], row["endpoint"]) == (None, "/some/thing")
    assert "route" not in row["extra_metadata"]


def test_probes_leave_no_row(nobody, client, db):
    ids = [nobody.get(path).headers["X-Request-Id"]
           for path in ("/livez", "/readyz")]
    row_of(db, client.get("/health"))
    assert [rows_of(db, one) for one in ids] == [[], []]


def test_the_query_is_nowhere(client, db):
    word = unique("secret")
    got = client.get(f"/db/shipments?carrier={word}")
    row = row_of(db, got)
    assert word not in json.dumps(row, default=str)


# --- what nginx answers out of its cache ----------------------------------------------


def hit(client, path, **headers):
    def ask():
        got = client.get(path, headers={"Cache-Control": None, **headers})
        return got if got.headers["X-Cache"] == "HIT" else None
    return wait_until(ask, 10, "a hit")


def test_a_kept_answer_is_a_request_too(client, db):
    before = datetime.datetime.now(datetime.timezone.utc)
    got = hit(client, "/db/shipments?limit=2", **{"User-Agent": "shop/1.1"})
    after = datetime.datetime.now(datetime.timezone.utc)
    row = row_of(db, got)
    slack = datetime.timedelta(seconds=0.02)  # nginx counts milliseconds
    assert before - slack <= row["timestamp"] <= after + slack
    assert uuid.UUID(row["id"]).version == 7
    more = row.pop("extra_metadata")
    assert {name: row[name] for name in row
            if name not in ("id", "timestamp", "response_time_ms")} == {
        "user_id": key_id(db), "session_id": None, "action": "read",
        "resource": "shipments", "resource_id": None, "method": "GET",
        "endpoint": "/db/shipments", "user_agent": "shop/1.1",
        "ip_address": "127.0.0.1", "status_code": 200, "error_message": None,
        "request_id": got.headers["X-Request-Id"]}
    assert 0 <= row["response_time_ms"] < 1000
    assert more.pop("bytes") > 50
    assert more == {"pool": "read", "mode": "test", "route": "/db/shipments",
                    "cache": "hit", "database_ms": 0, "upstream_ms": 0}
    assert not [name for name in got.headers if "Activity" in name]


def test_each_kept_answer_has_its_row(client, db):
    """And is the caller's own; so is one that was not changed."""
    path = "/db/addresses?limit=3"
    first = hit(client, path)
    same = hit(client, path, **{"If-None-Match": first.headers["ETag"]})
    assert same.status_code == 304
    assert row_of(db, same)["status_code"] == 304
    answers = [hit(client, path) for _ in range(20)]
    ids = ids_of([first] + answers)
    wait_until(lambda: len(counted(db, ids)) >= len(ids), LIMIT_S, "all rows")
    assert counted(db, ids) == ids


def test_keys_are_masked_in_what_nginx_notes(stack, client, db):
    got = hit(client, "/db/shipments?limit=4", **{
        "User-Agent": f"tool {stack.key}", "X-Request-Id": stack.key})
    row = row_of(db, got)
    assert row["user_agent"] == "tool wb_***"
    assert stack.key[8:] not in json.dumps(row, default=str)


def test_hostile_agents_in_what_nginx_notes(stack, db):
    """A line is JSON whatever came; what is behind a byte that is not ASCII is
    not kept."""
    def hit_as(agent):
        def ask():
            got = send(stack, "GET", "/db/shipments?limit=5", [
                ("User-Agent", agent),
                ("Authorization", f"Bearer {stack.key}")])
            return got if got.headers["X-Cache"] == "HIT" else None
        return wait_until(ask, 10, "a hit")
    for agent, got in [(agent, hit_as(agent)) for agent in HOSTILE]:
        assert row_of(db, got)["user_agent"] == (
            re.split("[\x80-\xff]", agent)[0][:300] or None)


# --- what comes from outside ---------------------------------------------------------


def test_keys_are_masked_wherever_they_are_sent(stack, db):
    """A part of one in the URL: with a whole one nginx refuses the request."""
    easypost = setting(stack, "EASYPOST_TEST_API_KEY")
    for whole in (stack.key, easypost):
        secret = whole[:40]
        place = stack.log_sizes()
        got = send(stack, "GET", f"/v2/addresses/{secret}/x", {
            "User-Agent": f"tool {secret}", "Referer": secret,
            "X-Request-Id": secret, "Authorization": f"Bearer {whole}"})
        request_id = got.headers["X-Request-Id"]
        assert secret not in request_id
        row = row_of(db, got)
        assert secret[8:] not in json.dumps(row, default=str)
        assert re.fullmatch(r"/v2/addresses/(wb_|EZTK)\*\*\*/x",
                            row["endpoint"])
        assert re.fullmatch(r"tool (wb_|EZTK)\*\*\*", row["user_agent"])
        assert re.fullmatch(r"(wb_|EZTK)\*\*\*", row["resource_id"])
        for name, text in stack.logs(place).items():
            if not name.startswith("simulator"):
                assert secret.encode() not in text, name


HOSTILE = [
    "\t\ttabs\tand more", "quote\" and \\ back\\slash",
    "\x7f\x1b[31mred", "{\"id\":\"x\"}", "'; drop table user_activities; --",
    "\xff\xfe\xc3\x28 not UTF-8", "\xc3\xa9t\xc3\xa9 is UTF-8",
    "\xed\xa0\x80 a surrogate", "$(reboot)", "\\u0000", "a" * 4000,
    "\xc3\xa9" * 400,
]


def as_kept(agent):
    """Cut where a character begins; what is no UTF-8 is replaced."""
    raw = agent.encode("latin-1")
    bytes_kept = min(len(raw), 300)
    while bytes_kept < len(raw) and raw[bytes_kept] & 0xc0 == 0x80:
        bytes_kept -= 1
    return raw[:bytes_kept].decode("utf-8", "replace")


def test_hostile_user_agents(stack, db):
    answers = [send(stack, "GET", "/health", [("User-Agent", agent)])
               for agent in HOSTILE]
    for agent, got in zip(HOSTILE, answers):
        assert row_of(db, got)["user_agent"] == as_kept(agent)


HOSTILE_PATHS = [
    "/db/%ff%fe", "/db/\xff\xfe", "/a\"b\\c", "/" + "x" * 8000,
    "/v2/" + "%2e%2e" * 20 + "x", "//db///shipments", "/{}",
    "/v2/shipments/" + "1" * 3000, "/db/shipments/\xc3\xa9",
]


def test_hostile_paths(stack, db):
    answers = [send(stack, "GET", path,
                    {"Authorization": f"Bearer {stack.key}"})
               for path in HOSTILE_PATHS]
    for path, got in zip(HOSTILE_PATHS, answers):
        row = row_of(db, got)
        assert row["status_code"] == got.status_code
        path = re.sub("/+", "/", path)
        assert row["endpoint"] == path.encode("latin-1")[:500].decode(
            "utf-8", "replace")
        assert row["resource_id"] is None or len(row["resource_id"]) <= 200


def test_odd_methods(stack, db):
    methods = ["PROPFIND", "A-B", "X" * 30]
    for method in methods:
        got = send(stack, method, "/health",
                   {"Authorization": f"Bearer {stack.key}"})
        assert got.status_code == 405
        row = row_of(db, got)
        assert (row["method"], row["action"]) == (method[:16], None)


# --- addresses -----------------------------------------------------------------------


@pytest.mark.parametrize("kept,expected", [
    ("truncated", "127.0.0.0/24"), ("none", None), ("full", "127.0.0.1/32")])
def test_addresses_as_configured(odd_stack, kept, expected):
    db = Database(odd_stack.database_url)
    with changed_settings(odd_stack, ["read", "webhook"],
                          {"ACTIVITY_ADDRESSES": kept}):
        for got in (Client(odd_stack, odd_stack.key).get("/health"),
                    deliver(Client(odd_stack), documents.event(
                        "batch.updated", documents.batch()))):
            row = row_of(db, got)
            assert db.one("select text(ip_address) from user_activities "
                          "where id = %s", row["id"]) == expected
        got = hit(Client(odd_stack, odd_stack.key), f"/db/shipments?carrier={kept}")
        assert db.one("select text(ip_address) from user_activities "
                      "where id = %s", row_of(db, got)["id"]) == expected
    db.close()


def test_what_was_kept_can_be_truncated_and_erased(stack, client, db):
    def privacy(word, before):
        return stack.waybill("privacy", word, "--before", before)

    old = row_of(db, client.get("/health"))
    db("update user_activities set ip_address = '2001:db8:1:2:3::4', "
       "timestamp = now() - interval '60 days' where id = %s", old["id"])
    new = row_of(db, client.get("/health"))
    before, now = ((datetime.datetime.now(datetime.timezone.utc)
                    - datetime.timedelta(days=days)).strftime(
                        "%Y-%m-%dT%H:%M:%SZ") for days in (30, -1))
    assert privacy("truncate", before) == "1 requests truncated\n"
    assert privacy("truncate", before) == "0 requests truncated\n"
    text = "select text(ip_address) from user_activities where id = %s"
    assert db.one(text, old["id"]) == "2001:db8:1::/48"
    assert db.one(text, new["id"]) == "127.0.0.1/32"
    assert int(privacy("truncate", now).split()[0]) >= 1
    assert db.one(text, new["id"]) == "127.0.0.0/24"
    assert privacy("erase", before) == "1 requests erased\n"
    assert db.one(text, old["id"]) is None
    assert db.one(text, new["id"]) == "127.0.0.0/24"
    assert privacy("erase", before) == "0 requests erased\n"


@pytest.mark.parametrize("words,status", [
    ((), 2), (("erase",), 2), (("forget", "--before", "2026-11-21"), 2),
    (("erase", "--since", "2026-11-21"), 2),
    (("erase", "--before", "yesterday"), 1)])
def test_what_cannot_be_erased_is_told(stack, words, status):
    done = subprocess.run(
        [stack.service.program("waybill"), "-c", stack.conf_file, "privacy",
         *words], capture_output=True, text=True, check=False, timeout=30)
    assert (done.returncode, done.stdout) == (status, "")
    assert ("usage" if status == 2 else "--before must be") in done.stderr


# --- what breaks ---------------------------------------------------------------------


@pytest.fixture(scope="module")
def own(tmp_path_factory):
    with Stack(tmp_path_factory.mktemp("activity"), conf={
            "WORKERS": "6", "WORKERS_OVERFLOW": "0"}) as one:
        yield one


@pytest.fixture
def own_db(own):
    found = Database(own.database_url)
    yield found
    found.close()


def ids_of(answers):
    return sorted(answer.headers["X-Request-Id"] for answer in answers)


def counted(db, ids):
    """The request ids that have rows, once for each row."""
    return sorted(row[0] for row in db(
        "select request_id from user_activities where request_id = any (%s)",
        ids))


def arrived(db, answers):
    ids = ids_of(answers)
    wait_until(lambda: len(counted(db, ids)) >= len(ids), 30, "all rows")
    assert counted(db, ids) == ids


def files(stack):
    return sorted(name for name in os.listdir(stack.run_dir)
                  if ".activity" in name)


def test_jobs_killed_again_and_again(own, own_db):
    """Nothing is lost and nothing is doubled, wherever the kill came."""
    answers = []
    for _ in range(12):
        client = Client(own, own.key)
        answers += [client.get("/health") for _ in range(15)]
        answers.append(deliver(Client(own), documents.event(
            "batch.updated", documents.batch())))
        os.kill(own.pids["jobs"], signal.SIGKILL)
        own.service.processes["jobs"].wait(10)
        own.service.start("jobs")
        wait_until(lambda: counted(own_db, ids_of(answers)) or files(own), 10)
    arrived(own_db, answers)


def test_killed_between_the_database_and_the_file(own, own_db):
    """The same lines once more are no second rows."""
    own.stop_pool("jobs")
    client = Client(own, own.key)
    answers = [client.get("/health") for _ in range(5)]
    path = os.path.join(own.run_dir, "read.activity")

    def all_lines():  # each is written when its client has the answer
        with open(path, "rb") as file:
            found = file.read()
        return found if found.count(b"\n{") >= 5 else None

    lines = wait_until(all_lines, 10, "five lines")
    own.service.start("jobs")
    arrived(own_db, answers)
    wait_until(lambda: files(own) == [], LIMIT_S, "the end of the file")
    with open(path, "ab") as file:
        file.write(lines)
    wait_until(lambda: files(own) == [], LIMIT_S, "the end of the file")
    arrived(own_db, answers)


def test_two_jobs_at_once(own, own_db):
    second = []
    for _ in range(3):
        answers = parallel(6, lambda _: Client(own, own.key).get("/health"))
        second.append(own.waybill("jobs", "--once"))
        arrived(own_db, answers)


def test_bad_lines_hold_up_no_others(own, own_db):
    own.stop_pool("jobs")
    place = own.log_sizes()
    client = Client(own, own.key)
    answers = [client.get("/health")]
    path = os.path.join(own.run_dir, "read.activity")
    with open(path, "ab") as file:
        file.write(b"\nno JSON\n\n[1]\n\n{\"id\":\n\n\xff\xfe\n{}\n"
                   b"{\"id\":\"no uuid\"}\n{\"id\":\"\\u0000\"}\n"
                   b"{\"id\":\"00000000-0000-7000-8000-000000000001\","
                   b"\"response_time_ms\":-1}\n"
                   b"{\"id\":\"00000000-0000-7000-8000-000000000002\","
                   b"\"ip_address\":\"nowhere\"}\n" + b"x" * 20000 + b"\ncut")
    answers.append(client.get("/health"))
    own.service.start("jobs")
    arrived(own_db, answers)
    wait_until(lambda: files(own) == [], LIMIT_S, "the end of the file")
    assert b"activities.bad" in own.logs(place)["jobs.log"]
    assert own_db.one("select count(*) from user_activities "
                      "where id < '00000000-0000-7000-8000-000000000009'") == 0


def test_while_the_database_is_away(own, own_db):
    own_db.close()
    own.postgres.crash()
    try:
        client = Client(own, own.key)
        answers = [client.get("/db/shipments?limit=1") for _ in range(3)]
        answers.append(deliver(Client(own), documents.event(
            "batch.updated", documents.batch())))
        assert answers[-1].status_code == 200
        assert answers[0].status_code == 503
    finally:
        own.postgres.start()
    db = Database(own.database_url)
    arrived(db, answers)
    row = row_of(db, answers[0])
    assert row["error_message"] == "DATABASE.UNAVAILABLE"
    assert row["extra_metadata"]["pool"] == "read"
    db.close()


def test_a_killed_worker_takes_no_row_along(own, own_db):
    client = Client(own, own.key)
    answers = [client.get("/health") for _ in range(5)]
    own.restart("read")
    arrived(own_db, answers + [client.get("/health")])


def test_the_file_is_bounded(own, own_db):
    """Nobody reads it: lines are dropped, requests go on."""
    own.stop_pool("jobs")
    path = os.path.join(own.run_dir, "read.activity")
    with open(path, "ab"):
        os.truncate(path, 16 * 1024 * 1024)
    place = own.log_sizes()
    client = Client(own, own.key)

    def is_dropping():
        got = client.get("/health")
        assert got.status_code == 200
        return b"activity.dropped" in own.logs(place)["read.log"]

    wait_until(is_dropping, 10, "the first dropped line")
    assert os.path.getsize(path) < 16.1 * 1024 * 1024
    lost = client.get("/health")
    own.service.start("jobs")

    asked = []

    def ask_again():
        asked.append(client.get("/health").headers["X-Request-Id"])
        return counted(own_db, asked)

    wait_until(ask_again, 30, "a row")
    assert rows_of(own_db, lost.headers["X-Request-Id"]) == []


def test_the_file_of_nginx_is_bounded(own, own_db):
    """Workers say nothing that nginx could note while nobody reads it."""
    own.stop_pool("jobs")
    path = os.path.join(own.run_dir, "nginx", "cache.activity")
    client = Client(own, own.key)
    hit(client, "/db/shipments?limit=1")
    wait_until(lambda: os.path.exists(path), 10, "nginx's file")
    with open(path, "ab"):
        os.truncate(path, 16 * 1024 * 1024)
    hit(client, "/db/shipments?limit=2")
    for _ in range(50):
        client.get("/db/shipments?limit=2", headers={"Cache-Control": None})
    assert os.path.getsize(path) == 16 * 1024 * 1024
    own.service.start("jobs")
    asked = []

    def ask_again():
        asked.append(hit(client, "/db/shipments?limit=3")
                     .headers["X-Request-Id"])
        return counted(own_db, asked)

    wait_until(ask_again, 30, "a row")


def test_without_a_database_nothing_is_noted(own):
    with changed_settings(own, ["upstream"], {"DATABASE_URL": None}):
        key = setting(own, "EASYPOST_TEST_API_KEY")
        assert Client(own, key).get("/v2/addresses/adr_1").status_code == 404
        wait_until(lambda: "upstream.activity" not in files(own), LIMIT_S)
        assert Client(own, key).get("/v2/addresses/adr_1").status_code == 404
        assert "upstream.activity" not in files(own)


# --- the access line ---------------------------------------------------------------------


def test_work_after_the_answer_is_in_the_access_line(own, own_db):
    """A read is recorded when its client has it already."""
    sim = simulator(own)
    path = "/v2/" + unique("after_")
    sim.canned("GET", path, documents.shipment())
    got = Client(own, own.key).get(path)
    own_id = got.headers["X-Request-Id"].encode()
    line = wait_until(lambda: next((
        line for line in own.logs()["upstream.log"].splitlines()
        if b">request " in line and own_id in line), None), 10, "the line")
    fields = dict(re.findall(r"(\w+)=(\S+)", line.decode()))
    assert fields["pool"] == "upstream" and fields["status"] == "200"
    assert fields["caller"] == str(own_db.one(
        "select id from api_keys where name = 'tests'"))
    assert float(fields["database_ms"]) > 0
    assert float(fields["upstream_ms"]) > 0
    assert float(fields["total_ms"]) + float(fields["after_ms"]) >= \
        float(fields["database_ms"]) + float(fields["upstream_ms"])
    assert float(fields["upstream_ms"]) <= float(fields["total_ms"])
    row = row_of(own_db, got)
    assert float(row["extra_metadata"]["database_ms"]) == \
        float(fields["database_ms"])


def test_one_request_does_not_pay_for_another(own):
    """What was spent after one answer is not counted for the next."""
    sim = simulator(own)
    path = "/v2/" + unique("pay_")
    sim.canned("GET", path, documents.shipment())
    client = Client(own, own.key)
    for _ in range(10):
        assert client.get(path).status_code == 200
    refused = [Client(own).get(path).headers["X-Request-Id"].encode()
               for _ in range(10)]
    wait_until(lambda: refused[-1] in own.logs()["upstream.log"], 10)
    for line in own.logs()["upstream.log"].splitlines():
        if b">request " in line and any(one in line for one in refused):
            assert b"database_ms=0.000 upstream_ms=0.000" in line
