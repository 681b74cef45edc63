"""Versions after and before this one: what docs/upgrade.md promises of them."""

import os
import shutil
import subprocess

import pytest

import documents
from env.process import ENVIRONMENT
from env.run import SHIPMENT
from helpers import (ROOT, Client, assert_error, changed_settings, deliver,
                     reload_pool, setting, wait_recorded)


class Newer:
    """A version that adds a table to this one."""

    def __init__(self, stack, folder):
        self.stack = stack
        self.sql = folder / "sql"
        shutil.copytree(os.path.join(ROOT, "sql"), self.sql)
        known = max(os.listdir(self.sql / "migrations"))
        self.name = f"{int(known[:4]) + 1:04}_newer"
        self.write("up", "create table waybill.newer (id integer)")
        self.write("down", "drop table waybill.newer")

    def write(self, direction, text):
        (self.sql / "migrations" / f"{self.name}.{direction}.sql").write_text(
            text + ";\n")

    def migrate(self, direction, sql=None):
        """Its `waybill migrate`, or this version's own: status and words."""
        own = {"WAYBILL_SQL_DIR": str(self.sql)} if sql is None else {}
        done = subprocess.run(
            [self.stack.service.program("waybill"), "-c",
             self.stack.conf_file, "migrate", direction], check=False,
            capture_output=True, text=True, timeout=60,
            env={**ENVIRONMENT, **own,
                 "DATABASE_URL": self.stack.postgres.operator_url()})
        return done.returncode, done.stdout + done.stderr


@pytest.fixture
def newer(stack, tmp_path):
    one = Newer(stack, tmp_path)
    yield one
    if one.name in one.migrate("history")[1]:
        one.migrate("down")
    one.migrate("up", sql="ours")


def test_files_of_another_version_make_nobody_unready(stack, nobody, newer):
    """Between a package's new files and the reload."""
    folder = newer.sql / "migrations"
    hidden = [one.rename(newer.sql.parent / one.name)
              for one in folder.glob(newer.name + ".*")]
    with changed_settings(stack, ["read"], {"WAYBILL_SQL_DIR": newer.sql}):
        assert nobody.get("/readyz").status_code == 200
        for one in hidden:
            one.rename(folder / one.name)
        assert nobody.get("/readyz").status_code == 200
        reload_pool(stack, "read")
        got = nobody.get("/readyz")
        assert_error(got, 503, "NOT_READY", easypost=False)
        assert "older than this program" in got.text


def event():
    return documents.event("tracker.updated", documents.tracker(
        [documents.detail(1, "in_transit", "Moved")]))


def test_one_version_back_loses_nothing(stack, client, db, newer):
    """The services of this version, while the database goes forth and back."""
    status, said = newer.migrate("up")
    assert status == 0, said
    assert client.get("/db/shipments?limit=1").status_code == 200
    assert client.get("/readyz").status_code == 200
    status, said = newer.migrate("up", sql="ours")
    assert status == 1 and "is not for this database" in said
    status, said = newer.migrate("down", sql="ours")
    assert status == 1 and "there is no way down" in said

    status, said = newer.migrate("down")
    assert status == 0, said
    # Now there is no function and no view.
    for path in ("/db/shipments?limit=1", "/stats"):
        got = client.get(path)
        assert_error(got, 503, "DATABASE.UNAVAILABLE", easypost=False)
        assert got.headers["Retry-After"]
    assert_error(client.get("/readyz"), 503, "NOT_READY", easypost=False)
    arrived = event()
    assert deliver(client, arrived).status_code == 200
    # EasyPost's own key needs no database to be known.
    shop = Client(stack, setting(stack, "EASYPOST_TEST_API_KEY"))
    made = shop.post("/v2/shipments", document=SHIPMENT)
    assert made.status_code == 201

    status, said = newer.migrate("up", sql="ours")
    assert status == 0, said
    wait_recorded(stack)
    assert db.one("select count(*) from webhook_events where easypost_id = %s",
                  arrived["id"]) == 1
    assert db.one("select count(*) from shipments where easypost_id = %s",
                  made.json()["id"]) == 1
    assert client.get("/readyz").status_code == 200
    assert newer.migrate("verify", sql="ours")[0] == 0


def test_a_version_whose_migration_fails_leaves_the_services_be(
        client, newer):
    newer.write("up", "create table waybill.half (); select 1 / 0")
    status, said = newer.migrate("up")
    assert status == 1 and "nothing was changed" in said
    assert client.get("/db/shipments?limit=1").status_code == 200
    assert deliver(client, event()).status_code == 200
    assert newer.migrate("up", sql="ours")[0] == 0
