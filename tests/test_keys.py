"""Who may call: gateway keys with scopes, and EasyPost's own keys."""

import base64
import hashlib
import re
import time

import psycopg2
import psycopg2.errors
import pytest

import documents
from helpers import (Client, Database, assert_error, authorization, parallel,
                     send, setting, unique, wait_until)
from test_contract import routes

OPEN = ["/livez", "/readyz"]
CLOSED = ["/health", "/health/database", "/db/shipments", "/db/addresses",
          "/db/shipments/shp_1", "/v2/addresses", "/v2/shipments/shp_1",
          "/beta/rates", "/", "/nothing", "/db/nothing", "/v2/", "/metrics",
          "/mcp", "/stats"]


# --- nobody ----------------------------------------------------------------------


@pytest.mark.parametrize("path", CLOSED)
@pytest.mark.parametrize("method", ["GET", "POST", "DELETE"])
def test_nothing_answers_without_a_key(nobody, sim, path, method):
    before = len(sim.calls())
    got = nobody(method, path)
    if got.status_code == 404 and not path.startswith(("/v2", "/beta", "/db",
                                                       "/health")):
        assert_error(got, 404, "NOT_FOUND")  # nothing is there to protect
    else:
        assert_error(got, (401, 404, 405) if path == "/db/nothing"
                     or method != "GET" else 401,
                     easypost=path.startswith(("/v2", "/beta")))
    if got.status_code == 401:
        assert got.headers["WWW-Authenticate"]
    assert len(sim.calls()) == before


@pytest.mark.parametrize("path", OPEN)
def test_the_open_routes_answer_everybody(nobody, path):
    assert nobody.get(path).status_code == 200
    wrong = nobody.get(path, headers={"Authorization": "Bearer wrong"})
    assert wrong.status_code == 200


GOOD = "wb_" + "A" * 43


@pytest.mark.parametrize("header", [
    "Bearer " + GOOD, "Basic " + base64.b64encode(
        (GOOD + ":").encode()).decode(),
    "Bearer", "Bearer ", "Basic", "Basic ", "Basic !!!", "Basic Og==",
    "Basic " + "A" * 4000, "Bearer " + "A" * 4000, "Digest username=x",
    GOOD, "Bearer\t" + GOOD, "Bearer wb_", "Bearer wb_" + "\u00e9" * 43,
    "Negotiate abc", "Bearer EZTK1", "Bearer EZAK1", "Bearer null",
    "Basic " + base64.b64encode(b"\x00:\x00").decode(),
    "Basic " + base64.b64encode(b"no colon").decode(),
    "Bearer ' or '1'='1", "bearer " + "wb_" + "a" * 42,
    "bearer " + "wb_" + "a" * 44,
], ids=lambda header: header[:30])
@pytest.mark.parametrize("path", ["/db/shipments", "/v2/addresses"])
def test_keys_that_are_none(stack, sim, path, header):
    before = len(sim.calls())
    header = header.encode().decode("latin-1")
    got = send(stack, "GET", path, {"Authorization": header})
    assert_error(got, 401, ("AUTHENTICATION.INVALID",
                            "AUTHENTICATION.REQUIRED"),
                 easypost=path.startswith("/v2"))
    assert got.headers["WWW-Authenticate"]
    assert len(sim.calls()) == before


def test_a_key_elsewhere_is_no_key(stack, nobody):
    for path in (f"/db/shipments?key={stack.key}",
                 f"/db/shipments?api_key={stack.key}"):
        assert_error(nobody.get(path), 400)
    got = nobody.get("/db/shipments", headers={"X-Api-Key": stack.key})
    assert_error(got, 401)
    got = nobody.get("/db/shipments", headers={
        "Authorization": "Basic " + base64.b64encode(
            f":{stack.key}".encode()).decode()})
    assert_error(got, 401)


def test_authorization_twice_is_refused(stack):
    good = authorization(stack.key)
    for pair in ((good, good), (good, "Bearer x"), ("Bearer x", good)):
        got = send(stack, "GET", "/db/shipments",
                   [("Authorization", one) for one in pair])
        assert_error(got, (400, 401), easypost=False)


# --- the matrix --------------------------------------------------------------------


@pytest.fixture(scope="module")
def keys(stack):
    return {scopes: stack.service.make_key("scopes " + scopes, "test",
                                           scopes=scopes)
            for scopes in ("read", "write", "read,write",
                           "read,write,admin")}


READS = [("GET", "/db/shipments"), ("GET", "/db/addresses"),
         ("GET", "/v2/addresses/adr_1"), ("HEAD", "/v2/addresses/adr_1")]
WRITES = [("POST", "/v2/shipments"), ("PUT", "/v2/end_shippers/es_1"),
          ("PATCH", "/v2/users/user_1"), ("DELETE", "/v2/trackers/trk_1"),
          ("POST", "/beta/rates"), ("POST", "/v2/shipments/shp_1/buy")]


@pytest.mark.parametrize("scopes,method,path,is_allowed", [
    (scopes, method, path, needed in scopes.split(","))
    for scopes in ("read", "write", "read,write", "read,write,admin")
    for needed, routes in (("read", READS), ("write", WRITES))
    for method, path in routes])
def test_scopes(stack, keys, sim, scopes, method, path, is_allowed):
    before = len(sim.calls())
    got = Client(stack, keys[scopes])(method, path)
    if is_allowed:
        assert got.status_code not in (401, 403), got.text
    elif method == "HEAD":
        assert got.status_code == 403
    else:
        assert_error(got, 403, "SCOPE.INSUFFICIENT",
                     easypost=path.startswith(("/v2", "/beta")))
    if not is_allowed:
        assert len(sim.calls()) == before


@pytest.mark.parametrize("scopes", ["read", "write", "read,write",
                                    "read,write,admin"])
def test_every_route_wants_its_scope(stack, keys, sim, scopes):
    """As the program's own table has it; the proxy by the method."""
    table = routes(stack)
    assert len(table) > 40
    before = len(sim.calls())
    client, allowed = Client(stack, keys[scopes]), 0
    for (method, path), scope in table.items():
        needed = ("read" if method == "GET" else "write") \
            if scope == "proxy" else scope
        target = re.sub(r"\{\w+\}", "nothing_1", path)
        got = client(method, target)
        if needed == "none" or needed in scopes.split(","):
            allowed += 1
            # A session is made of a key that may read, by the route itself.
            assert needed == "none" or got.status_code not in (401, 403), (
                method, path, got.text)
        else:
            assert_error(got, 403, "SCOPE.INSUFFICIENT")
    assert 0 < allowed <= len(table)
    assert len(sim.calls()) - before <= allowed


@pytest.mark.parametrize("path", ["/health", "/health/database"])
def test_the_health_of_the_house_for_those_with_a_key(stack, keys, path):
    got = Client(stack, keys["read,write,admin"]).get(path)
    assert got.status_code == 200
    assert Client(stack).get(path).status_code == 401


@pytest.mark.parametrize("name", ["EASYPOST_TEST_API_KEY",
                                  "EASYPOST_API_KEY"])
@pytest.mark.parametrize("scheme", ["Bearer", "Basic"])
def test_easypost_keys_open_only_the_proxy(stack, name, scheme):
    client = Client(stack, setting(stack, name), scheme=scheme)
    assert client.get("/v2/addresses/adr_1").status_code == 404
    for path in ("/db/shipments", "/db/addresses", "/health"):
        assert_error(client.get(path), 401, easypost=False)


# --- their life ----------------------------------------------------------------------


def test_only_the_hash_of_a_key_is_stored(stack, db):
    key = stack.service.make_key(unique("stored "), "test", scopes="read")
    assert re.fullmatch(r"wb_[A-Za-z0-9_-]{43}", key)
    rows = db("select t::text from api_keys t")
    text = "\n".join(row[0] for row in rows)
    assert key not in text
    assert key[12:] not in text
    assert hashlib.sha256(key.encode()).hexdigest() in text


def test_two_keys_are_never_the_same(stack):
    made = {stack.service.make_key("same name", "test", scopes="read")
            for _ in range(3)}
    assert len(made) == 3


def test_the_list_shows_no_secrets(stack):
    name = unique("listed-")
    key = stack.service.make_key(name, "production", scopes="read,write")
    said = stack.waybill("key", "list")
    assert name in said
    assert key not in said
    assert key[12:] not in said


@pytest.mark.parametrize("how", ["id", "prefix"])
def test_a_revoked_key_ends_within_a_second_everywhere(stack, db, sim, how):
    name = unique("revoked-")
    key = stack.service.make_key(name, "test", scopes="read,write")
    client = Client(stack, key)
    paths = ["/db/shipments?limit=1", "/v2/addresses/adr_1"]
    for path in paths:
        for got in parallel(12, lambda _, path=path:
                            Client(stack, key).get(path)):
            assert got.status_code in (200, 404)
    word = key[:11]
    if how == "id":
        word = str(db.one("select id from api_keys where name = %s", name))
    stack.waybill("key", "revoke", word)
    end = time.monotonic() + 1.0
    for path in paths:
        wait_until(lambda path=path: client.get(path).status_code == 401,
                   max(end - time.monotonic(), 0.01), "the end of the key")
    wait_until(lambda: time.monotonic() > end, 2)
    for path in paths:
        for got in parallel(12, lambda _, path=path:
                            Client(stack, key).get(path)):
            assert_error(got, 401, "AUTHENTICATION.INVALID")


def test_a_new_key_works_at_once(stack):
    """Even when somebody tried it before: refusals are not remembered long."""
    key = stack.service.make_key(unique("new "), "test", scopes="read")
    assert Client(stack, key).get("/db/shipments").status_code == 200


@pytest.mark.parametrize("words", [
    ("create",), ("create", "--name", "x", "--mode", "live"),
    ("create", "--name", "x", "--mode", "test", "--scopes", "everything"),
    ("create", "--name", "x" * 300, "--mode", "test", "--scopes", "read"),
    ("revoke",), ("revoke", "nothing"),
    ("revoke", "00000000-0000-7000-8000-000000000000"), ("destroy",), (),
    ("create", "--nonsense", "1"),
], ids=lambda words: " ".join(words)[:40] or "nothing")
def test_the_program_refuses_nonsense(stack, words):
    from env.process import Failed
    with pytest.raises(Failed) as failed:
        stack.waybill("key", *words)
    assert re.search(r"status [12]\b", str(failed.value)), failed.value


def test_the_mode_belongs_to_the_key(stack, sim, db):
    for mode, key in (("test", stack.key),
                      ("production", stack.key_production)):
        path = "/v2/" + unique("mode_")
        document = documents.shipment()
        document.pop("mode")
        sim.canned("POST", path, document)
        assert Client(stack, key).post(path).status_code == 200
        assert db.row("shipments", document["id"])["mode"] == mode


# --- what the workers may do in the database -----------------------------------------


def test_the_workers_role_may_only_call_functions(stack):
    db = Database(stack.database_url)
    db("set role waybill_worker")
    for table in ("shipments", "api_keys", "documents", "webhook_events"):
        with pytest.raises(Exception, match="permission denied"):
            db(f"select 1 from waybill.{table}")
    with pytest.raises(Exception, match="permission denied"):
        db("create table waybill.t ()")
    with pytest.raises(Exception, match="permission denied"):
        db("select waybill.refresh_analytics_views()")
    assert db("select * from api.health()")
    db.close()


def test_the_readers_role_sees_everything_but_keys(stack):
    db = Database(stack.database_url)
    db("set role waybill_reader")
    for table in ("shipments", "addresses", "shipment_events", "trackers"):
        db(f"select 1 from waybill.{table} limit 1")
    with pytest.raises(Exception, match="permission denied"):
        db("select 1 from waybill.api_keys")
    with pytest.raises(Exception, match="permission denied"):
        db("delete from waybill.shipments")
    db.close()


def test_the_service_may_do_no_more_than_it_does(stack):
    """Its login sees no table, makes no key and becomes no owner."""
    connection = psycopg2.connect(stack.service_url)
    connection.autocommit = True
    try:
        with connection.cursor() as cursor:
            cursor.execute("set role waybill_worker")
            for statement in (
                    "select * from waybill.api_keys",
                    "select * from waybill.shipments",
                    "delete from waybill.shipments",
                    "select * from admin.create_key('\\x00', 'wb_', 'x',"
                    " 'test', 'admin')",
                    "select waybill.record_objects(null, 'test')",
                    "set role waybill_owner", "set role waybill_operator",
                    "create table waybill.mine (x int)"):
                with pytest.raises(psycopg2.errors.InsufficientPrivilege):
                    cursor.execute(statement)
    finally:
        connection.close()
