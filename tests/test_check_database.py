"""waybill check: PostgreSQL, its connections, its standby, its backups, and the way
there."""

import contextlib
import os
import re
import shutil
import time

import psycopg2
import pytest

from checked import NO_KEYS, check, check_with_systemctl, run, succeed
from checked import own, own_db  # noqa: F401: fixtures
from helpers import ROOT, wait_until


def test_a_database_that_cannot_be_reached(own, tmp_path):
    postgres = own.postgres
    for url, text, cure in (
            (postgres.url("nowhere"), "database .nowhere. does not exist",
             "createdb"),
            (postgres.url(role="stranger"), "role .stranger. does not exist",
             "createuser"),
            (f"postgresql:///waybill?host={tmp_path}", "No such file",
             "systemctl start postgresql")):
        found = check(own, DATABASE_URL=url, **NO_KEYS)
        found.fails("database", text, cure)
        assert found["schema"][0] == found["queue"][0] == "skip"
        # A full disk may be the reason.
        assert "database does not answer" not in found["disk of PostgreSQL"][1]
    found = check(own, DATABASE_URL="", **NO_KEYS)
    assert found["disk of PostgreSQL"][:2] == ["skip",
                                               "no database is configured"]
    found.warns("database", "nothing is recorded", "DATABASE_URL=postgresql:")


def test_a_database_that_hangs(own):
    own.postgres.freeze()
    try:
        began = time.monotonic()
        check(own, DATABASE_CONNECT_TIMEOUT="1", **NO_KEYS).fails(
            "database", "no answer in time", "the server hangs")
        assert time.monotonic() - began < 5
    finally:
        own.postgres.thaw()


def test_a_login_with_other_rights(own, own_db):
    own_db("create role clerk login")
    postgres = own.postgres
    for role, text, cure in (
            ("clerk", "clerk is not in both",
             "grant waybill_worker, waybill_jobs to \"clerk\""),
            ("postgres", "is a superuser", "createuser waybill"),
            ("waybill_operator", "owns the schema", "createuser waybill")):
        check(own, DATABASE_URL=postgres.url(role=role), **NO_KEYS).fails(
            "rights", text, cure)
    own_db("drop role clerk")


def test_another_schema_than_the_programs(own, own_db, tmp_path):
    migrate = "sudo -u postgres -g waybill waybill migrate up"
    sql = tmp_path / "sql"
    shutil.copytree(os.path.join(ROOT, "sql"), sql)
    more = {"WAYBILL_SQL_DIR": str(sql), **NO_KEYS}
    (sql / "api" / "health.sql").write_text(
        (sql / "api" / "health.sql").read_text() + "-- edited\n")
    found = check(own, **more)
    found.fails("schema", "functions and views are not those", migrate)
    assert found["queue"][0] == "skip"
    newest = max(name[:4] for name in os.listdir(sql / "migrations"))
    for way in ("up", "down"):
        (sql / "migrations" / f"{int(newest) + 1:04d}_more.{way}.sql"
         ).write_text("select 1;")
    check(own, **more).fails("schema", "_more and others are not applied",
                             migrate)
    first = sql / "migrations" / "0001_foundation.up.sql"
    first.write_text(first.read_text() + "-- edited\n")
    check(own, **more).fails("schema", "0001_foundation: edited after",
                             "apt install --reinstall")
    own_db("alter table jobs alter max_attempts set default 6")
    try:
        check(own, **NO_KEYS).fails("schema", "jobs.max_attempts .in all: 1",
                                    "waybill migrate verify")
    finally:
        own_db("alter table jobs alter max_attempts set default 5")


def test_more_workers_than_connections(own):
    found = check(own, WORKERS="100", WORKERS_OVERFLOW="50", **NO_KEYS)
    found.tells("connections", "FAIL", r"154 may be needed by this host \(read 45 "
                r"\+ webhook 30 \+ upstream 75 \+ commands 4\); there are 11\d = "
                r"max_connections 120 - 3 reserved - \d of others - 0 of "
                "Waybill's other hosts", "alter system set max_connections = 30")


def test_a_reload_needs_connections_for_the_old_workers_too(own):
    check(own, WORKERS="60", WORKERS_OVERFLOW="0", **NO_KEYS).warns(
        "connections", "124 may be needed by this host while it is reloaded",
        "alter system set max_connections = 12")
    assert check(own, WORKERS="50", WORKERS_OVERFLOW="0", **NO_KEYS)[
        "connections"][0] == "ok"


@pytest.mark.parametrize("workers", [("3", "0"), ("20", "30"), ("100", "100")])
def test_what_tune_gives_is_enough_for_the_check(own, workers):
    more = {"WORKERS": workers[0], "WORKERS_OVERFLOW": workers[1]}
    text = run(own, "tune", **more).stdout
    given = int(re.search(r"(?m)^max_connections = (\d+)$", text)[1])
    said = check(own, **NO_KEYS, **more)["connections"]
    assert given >= 2 * sum(map(int, workers)) + 7, said
    assert said[2] is None or int(re.search(
        r"max_connections = (\d+)", said[2])[1]) <= given, said


def network(one):
    """The stack's PostgreSQL over TCP, on an address of its own."""
    return (f"postgresql://waybill@{one.postgres.settings['listen_addresses']}"
            "/waybill")


def test_waybill_of_other_hosts_takes_its_share(own, own_db):
    """Who does not come from where the check comes from."""
    with contextlib.closing(psycopg2.connect(
            network(own), application_name="waybill-read")):
        found = check(own, **NO_KEYS)
        assert "- 1 of Waybill's other hosts" in found["connections"][1]
    own_db("select admin.record_system_metrics('another', %s)",
           '{"db_connections_limit":7}')
    try:
        assert "- 7 of Waybill's other hosts" in check(own, **NO_KEYS)[
            "connections"][1], "as many as it may take when it is busy"
    finally:
        own_db("delete from system_metrics where host = 'another'")
    found = check(own, DATABASE_URL=network(own), **NO_KEYS)
    assert re.search(r"- [1-9] of Waybill's other hosts",
                     found["connections"][1]), found.out


ROOT_MOUNTS = pytest.mark.skipif(
    os.geteuid() != 0 or not os.path.exists("/usr/bin/systemctl"),
    reason="only root mounts")


@ROOT_MOUNTS
def test_a_database_that_the_units_cannot_reach(own, tmp_path):
    """Over the network, where the installed units have none."""
    def says(*answers, **urls):
        lines = "\\n\\n".join("PrivateNetwork=" + one for one in answers)
        return check_with_systemctl(own, f"printf '{lines}\\n'", tmp_path, **urls)

    url = network(own)
    cure = "database-network.conf; done; systemctl daemon-reload; " \
        "systemctl restart waybill-read waybill-webhook waybill-jobs"
    says("no", "yes", DATABASE_URL=url).tells(
        "network", "FAIL", "PrivateNetwork=yes", cure)
    says("yes", DATABASE_READ_URL=url).tells(
        "network", "FAIL", "PrivateNetwork=yes", cure)
    for answers, urls, text in (
            (("no", "no"), {"DATABASE_URL": url}, "as the units allow"),
            (("yes",), {}, "over a socket here")):
        says(*answers, **urls).tells("network", "ok", text, None)


def systemctl(timer, **states):
    """Of a systemd whose timers are well, but for one."""
    well = {"Load": "loaded", "Active": "active", "UnitFile": "enabled"}
    lines = ["\\n".join(f"{key}State={value}" for key, value in one.items())
             for one in (well | states, well)]
    return f"""case $* in
        *' {timer}') printf '{lines[0]}\\n' ;;
        *) printf '{lines[1]}\\n' ;;
    esac"""


@ROOT_MOUNTS
@pytest.mark.parametrize("timer,name,ok", [
    ("refresh", "refresh", "it ran .* ago"),
    ("reconcile", "reconcile", "it ran .* ago"),
    ("backup-full", "backup", "the last one ended .* ago"),
    ("backup-diff", "backup", "the last one ended .* ago")])
def test_a_timer_that_is_off(own, tmp_path, timer, name, ok):
    """Which is told before its work is late."""
    timer = f"waybill-{timer}.timer"
    for states, trouble in (
            ({"Active": "inactive"}, "is off here"),
            ({"Active": "inactive", "UnitFile": "disabled"}, "is off here"),
            ({"Active": "failed"}, "is off here"),
            ({"UnitFile": "disabled"}, "will be off here after a boot"),
            ({"Load": "bad-setting", "Active": "inactive"},
             "cannot be loaded here")):
        check_with_systemctl(own, systemctl(timer, **states), tmp_path).warns(
            name, f"{ok}, but {timer} {trouble}$",
            f"systemctl enable --now {timer}; systemctl status {timer}")
    for states in ({}, {"UnitFile": "static"},
                   {"Load": "masked", "Active": "inactive"},  # on purpose
                   {"Load": "not-found", "Active": "inactive"}):
        check_with_systemctl(own, systemctl(timer, **states), tmp_path).tells(
            name, "ok", ok + "$", None)


@ROOT_MOUNTS
def test_a_systemd_that_says_nothing(own, tmp_path):
    """It does not run, or hangs: then it is asked once, not for each timer."""
    asked = tmp_path / "asked"
    for script, times in (("exit 1", 4), ("exec sleep 60", 1)):
        asked.write_text("")
        asked.chmod(0o666)
        found = check_with_systemctl(
            own, f"echo x >>{asked}\n{script}", tmp_path)
        assert [found[name][0] for name in ("refresh", "reconcile", "backup")
                ] == ["ok"] * 3
        assert len(asked.read_text().split()) == times


def test_a_standby_that_is_none(own, own_db, tmp_path):
    assert "the primary is read" in check(own, **NO_KEYS)["standby"][1]
    found = check(own, DATABASE_READ_URL=own.service_url, **NO_KEYS)
    found.warns("standby", "names no standby", "DATABASE_READ_URL has to name")
    check(own, DATABASE_READ_URL=f"postgresql:///waybill?host={tmp_path}",
          **NO_KEYS).fails("standby", "No such file", "systemctl start")
    own_db("create database empty owner waybill_operator")
    try:
        check(own, DATABASE_READ_URL=own.postgres.url("empty", "waybill"),
              **NO_KEYS).fails(
            "standby", "has not the schema", "DATABASE_READ_URL has to name")
    finally:
        own_db("drop database empty")


# --- backups -----------------------------------------------------------------------------


def test_backups_that_stopped(own):
    for kind, days, text in (
            ("full", 10, "the last full one that succeeded ended 10 days ago"),
            ("diff", 3, "the last one that succeeded ended 3 days ago")):
        succeed(own, kind, days)
        check(own, **NO_KEYS).fails(
            "backup", text, "systemctl enable --now waybill-backup-full.timer")
    for kind in ("full", "diff"):
        os.unlink(os.path.join(own.backup_dir, kind))
    check(own, **NO_KEYS).fails("backup", "none has succeeded yet",
                                "journalctl -u 'waybill-backup@*'")
    succeed(own, "full", days=1)
    assert "ended 24 h ago" in check(own, **NO_KEYS)["backup"][1]


def test_backups_that_were_never_set_up(own, tmp_path):
    none = {"WAYBILL_BACKUP_DIR": str(tmp_path / "none"), **NO_KEYS}
    check(own, **none).warns("backup", "no backups are set up", "backup.md")
    check(own, DATABASE_URL=network(own), **none).tells(
        "backup", "skip", "on its own host", None)


def test_an_archive_that_fails(own, own_db):
    """Until the next time that it succeeds."""
    state = ("select a.failed_count > 0 and a.last_failed_time > coalesce("
             "a.last_archived_time, '-infinity') from pg_stat_archiver a")
    broken = os.path.join(own.postgres.directory, "broken")  # see checked.py

    def write():
        own_db("create table written (); drop table written")
        own_db("select pg_switch_wal()")

    with open(broken, "w", encoding="ascii"):
        write()
    try:
        wait_until(lambda: own_db.one(state), 90, "a failure")
        # Since the last success or, without one, since anybody counts.
        late, since = own_db("select s.late_s, seconds_since(coalesce("
                             "a.last_archived_time, a.stats_reset)) from "
                             "archive_state() s cross join pg_stat_archiver a"
                             )[0]
        assert since - 1 <= late <= since
        check(own, **NO_KEYS).fails("archive", "archiving fails", "pgbackrest")
    finally:
        os.unlink(broken)
    write()
    wait_until(lambda: not own_db.one(state), 90, "a success")
    assert check(own, **NO_KEYS)["archive"][:2] == [
        "ok", "nothing waits to be archived"]
