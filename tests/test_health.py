"""/livez, /readyz, /health: really asked, never guessed."""

import pytest

import documents
from helpers import (ROOT, Client, assert_error, changed_settings, deliver)


def version():
    with open(ROOT + "/VERSION", encoding="ascii") as file:
        return file.read().strip()


@pytest.mark.parametrize("path", ["/livez", "/readyz"])
def test_open_to_everybody(nobody, path):
    got = nobody.get(path)
    assert got.status_code == 200, got.text
    assert got.json()["status"] == "success"
    assert got.headers["X-Request-Id"]


def test_alive(nobody):
    assert nobody.get("/livez").json() == {
        "status": "success", "data": {"alive": True}}


@pytest.mark.parametrize("path", ["/health", "/health/database"])
def test_the_details_need_a_key(nobody, path):
    assert_error(nobody.get(path), 401, "AUTHENTICATION.REQUIRED",
                 easypost=False)


def test_what_health_tells(client, stack):
    data = client.get("/health").json()["data"]
    text = str(data)
    assert version() in text
    pool = find(data, "pool_size")
    assert set(pool) >= {"pool_size", "checked_out", "overflow", "available"}
    for value in pool.values():
        assert value is None or isinstance(value, (int, str)), pool
    assert pool["pool_size"] >= 1
    assert 0 <= pool["checked_out"]
    assert "spool" in text
    assert stack.database_url not in text


def find(document, key):
    """The innermost object that has this key."""
    if isinstance(document, dict):
        if key in document:
            return document
        for value in document.values():
            found = find(value, key)
            if found:
                return found
    if isinstance(document, list):
        for value in document:
            found = find(value, key)
            if found:
                return found
    return None


def test_what_the_databases_health_tells(client, db):
    data = client.get("/health/database").json()["data"]
    running = db.one("show server_version")
    assert running.split()[0] in str(data)
    assert find(data, "schema_version")["schema_version"] >= 1


@pytest.mark.parametrize("path", ["/livez", "/readyz", "/health",
                                  "/health/database"])
def test_other_verbs_and_parameters(client, path):
    for method in ("POST", "DELETE", "PUT"):
        got = client(method, path)
        assert_error(got, 405, "METHOD.NOT_ALLOWED", easypost=False)
        assert "GET" in got.headers["Allow"]
    assert client("HEAD", path).status_code == 200


def test_without_a_schema_it_is_not_ready(odd_stack):
    """A database that nobody migrated is not one that we can use."""
    url = odd_stack.database_url
    odd_stack.psql("create database unmigrated")
    other = replace_database(url, "unmigrated")
    with changed_settings(odd_stack, ["read"], {"DATABASE_URL": other}):
        nobody = Client(odd_stack)
        assert nobody.get("/livez").status_code == 200
        assert_error(nobody.get("/readyz"), 503, easypost=False)
    assert Client(odd_stack).get("/readyz").status_code == 200


def test_a_database_that_is_not_there(odd_stack):
    other = replace_database(odd_stack.database_url, "nowhere")
    with changed_settings(odd_stack, ["read"], {"DATABASE_URL": other}):
        nobody = Client(odd_stack)
        assert nobody.get("/livez").status_code == 200
        got = nobody.get("/readyz")
        assert_error(got, 503, easypost=False)
        got = Client(odd_stack, odd_stack.key).get("/db/shipments")
        assert_error(got, 503, "DATABASE.UNAVAILABLE", easypost=False)
        assert int(got.headers["Retry-After"]) >= 1


def test_reads_may_go_to_a_replica(odd_stack):
    """Here the same server under another name; writes stay where they are."""
    other = odd_stack.service_url + "?application_name=replica"
    with changed_settings(odd_stack, ["read"], {"DATABASE_READ_URL": other}):
        client = Client(odd_stack, odd_stack.key)
        assert client.get("/db/shipments").status_code == 200
        assert client.get("/health").status_code == 200


def test_secrets_from_files(odd_stack, tmp_path):
    """As systemd's credentials give them; one final newline is not meant."""
    path = tmp_path / "secret"
    path.write_text("from a file\n", encoding="utf-8")
    with changed_settings(odd_stack, ["webhook"], {
            "EASYPOST_WEBHOOK_SECRET": None,
            "EASYPOST_WEBHOOK_SECRET_FILE": str(path)}):
        event = documents.event("batch.updated", documents.batch())
        got = deliver(Client(odd_stack), event, secret="from a file")
        assert got.status_code == 200, got.text


def replace_database(url, name):
    """The same server, another database; URLs and key=value both."""
    if "://" in url:
        head, mark, options = url.partition("?")
        return head.rpartition("/")[0] + "/" + name + mark + options
    kept = [word for word in url.split() if not word.startswith("dbname=")]
    return " ".join(kept + ["dbname=" + name])


def test_more_connections_than_the_server_allows(odd_stack):
    """Known before the first of them is refused under load."""
    def connections():
        data = Client(odd_stack, odd_stack.key).get("/health").json()["data"]
        told = data["database"]["connections"]
        return told["needed"], told["max_connections"], data["status"]

    allowed = int(odd_stack.psql("show max_connections")[0][0])
    needed, most, status = connections()
    assert (most, status) == (allowed, "ok") and 3 < needed <= allowed
    with changed_settings(odd_stack, ["read"],
                          {"WORKERS_OVERFLOW": str(allowed)}):
        needed, most, status = connections()
        assert most == allowed < needed and status == "degraded"
