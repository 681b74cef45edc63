"""`waybill tune`: what it prints, a real PostgreSQL takes, and it adds up."""

import os
import re
import shutil
import subprocess
import tempfile

import pytest

from env.postgres import OWNER, Postgres
from env.process import ENVIRONMENT, as_user
from env.stack import ROOT
from helpers import Database

UNITS = {"kB": 1, "MB": 1024, "GB": 1024 ** 2, "TB": 1024 ** 3}
SIZES = ["256M", "512M", "1G", "4G", "16G", "128G"]
AUTOVACUUMS = 3


@pytest.fixture(scope="module")
def build(request):
    return os.path.join(ROOT, request.config.getoption("--build"))


@pytest.fixture(scope="module")
def tune(build):
    """`waybill tune WORDS` without a configuration file; what it printed."""
    def run(*words, status=0, **variables):
        done = subprocess.run([os.path.join(build, "waybill"), "tune", *words],
                              capture_output=True, text=True, timeout=60,
                              check=False, env={**ENVIRONMENT, **variables})
        assert done.returncode == status, done.stderr
        return done.stdout or done.stderr
    return run


def settings(text):
    return dict(re.findall(r"^(\w+) = '?([^'\n]*)'?$", text, re.MULTILINE))


def kb(size):
    number, unit = re.fullmatch(r"(\d+)([kMGT]B)", size).groups()
    return int(number) * UNITS[unit]


def memory_kb(size):
    return int(size[:-1]) * UNITS[size[-1] + "B"]


# --- a server that takes it ------------------------------------------------------


class Cluster:
    """A cluster that includes the fragment, and nothing that goes before it."""

    def __init__(self, folder):
        self.fragment = os.path.join(folder, "waybill.conf")
        self.postgres = Postgres(os.path.join(folder, "pg"),
                                 os.path.join(folder, "sock"),
                                 os.path.join(folder, "postgres.log"))
        for name in ("max_connections", "shared_buffers"):
            del self.postgres.settings[name]
        self.postgres.make()
        with open(os.path.join(folder, "pg", "postgresql.conf"), "a",
                  encoding="utf-8") as file:
            file.write(f"include '{self.fragment}'\n")

    def write(self, text):
        with open(self.fragment, "w", encoding="utf-8") as file:
            file.write(text)
        os.chmod(self.fragment, 0o644)

    def accepts(self, text):
        """What the server would begin with, without beginning."""
        self.write(text)
        done = subprocess.run(
            [f"{self.postgres.programs}/postgres", "-D",
             self.postgres.directory, "-C", "shared_buffers"],
            capture_output=True, text=True, timeout=60, check=False, cwd="/",
            env=ENVIRONMENT, **as_user(self.postgres.user))
        assert done.returncode == 0, done.stderr
        return int(done.stdout) * 8  # blocks


@pytest.fixture(scope="module")
def cluster():
    # Short enough for a socket, and within reach of the server's user.
    folder = tempfile.mkdtemp(prefix="waybill-tune-", dir="/tmp")
    os.chmod(folder, 0o711)
    one = Cluster(folder)
    yield one
    one.postgres.stop()
    shutil.rmtree(folder)


@pytest.mark.parametrize("size,storage", zip(SIZES, ["ssd", "disk"] * 3))
def test_the_server_takes_every_size(cluster, tune, size, storage):
    text = tune("--memory", size, "--storage", storage, "--cores", "4")
    assert cluster.accepts(text) == kb(settings(text)["shared_buffers"])


@pytest.mark.parametrize("size,cores", [("256M", "1"), ("4G", "8")])
def test_a_server_runs_with_what_was_printed(cluster, tune, size, cores):
    """And calls the values by the same words, else all would always differ."""
    text = tune("--memory", size, "--cores", cores)
    cluster.write(text)
    cluster.postgres.start()
    db = Database(cluster.postgres.url("postgres", OWNER))
    try:
        assert db("select name, error from pg_file_settings "
                  "where error is not null") == []
        printed = settings(text)
        assert dict(db("select name, current_setting(name) from pg_settings "
                       "where name = any(%s)", list(printed))) == printed
        db("create extension if not exists pg_stat_statements")
        if size == SIZES[0]:
            check_comparison(cluster, tune, db,
                             ("--memory", size, "--cores", cores))
    finally:
        db.close()
        cluster.postgres.stop()


def check_comparison(cluster, tune, db, words):
    """With the function that the migrations put there, and a login that may see
    everything."""
    url = cluster.postgres.url("postgres", OWNER)
    assert "Not compared with the running server: " in tune(
        *words, DATABASE_URL=url)
    db("create schema admin; create role waybill_jobs; "
       "grant usage on schema admin to waybill_jobs; "
       "grant pg_read_all_settings to waybill_jobs")
    with open(os.path.join(ROOT, "sql/admin/server_settings.sql"),
              encoding="utf-8") as file:
        db(file.read())
    said = tune(*words, DATABASE_URL=url)
    assert re.search(r"# Compared with the running server, PostgreSQL \d+\.\d+.*:\n"
                     "#   nothing differs\n$", said)
    # What is loaded already goes on being loaded.
    db("alter system set shared_preload_libraries = 'auto_explain'")
    cluster.postgres.stop()
    cluster.postgres.start()
    other = Database(url)
    said = tune(*words, DATABASE_URL=url)
    assert "shared_preload_libraries = 'auto_explain, pg_stat_statements'" in said
    assert "auto_explain -> auto_explain, pg_stat_statements (restart)" in said
    other("alter system reset all")
    other("drop schema admin cascade; drop owned by waybill_jobs; "
          "drop role waybill_jobs")
    other.close()


# --- it adds up -------------------------------------------------------------------


@pytest.mark.parametrize("workers", [(3, 0), (20, 30), (100, 100)])
@pytest.mark.parametrize("size", SIZES)
def test_the_memory_is_enough_for_all_or_it_is_said(tune, size, workers):
    text = tune("--memory", size, "--cores", "2", WORKERS=str(workers[0]),
                WORKERS_OVERFLOW=str(workers[1]))
    found = settings(text)
    memory = memory_kb(size)
    others = min(192 * 1024 + sum(workers) * 4096, memory // 2)
    share = memory - others
    buffers, work = kb(found["shared_buffers"]), kb(found["work_mem"])
    maintenance = kb(found["maintenance_work_mem"])
    connections = int(found["max_connections"])
    assert 2 * sum(workers) + 20 <= connections < 2 * sum(workers) + 30
    connections -= sum(workers)  # those that a reload lets end do nothing more
    assert share * 0.22 <= buffers <= share / 4 or buffers == 16 * 1024
    assert kb(found["effective_cache_size"]) <= share * 3 / 4
    assert 1024 <= work <= 64 * 1024
    assert maintenance <= min(share / 16, 1024 * 1024)
    assert kb(found["min_wal_size"]) * 4 == kb(found["max_wal_size"])
    most = buffers + AUTOVACUUMS * maintenance + connections * work
    assert (most > share) == ("TOO MUCH" in text)
    assert f"at once: {most // 1024} MB of the share" in text
    if work > 1024:
        assert buffers + AUTOVACUUMS * maintenance \
            + 3 * connections * work <= share


def test_the_default_workers_fit_into_a_small_machine(tune):
    for size in SIZES:
        assert "TOO MUCH" not in tune("--memory", size)


def test_this_machine_is_the_default(tune):
    with open("/proc/meminfo", encoding="ascii") as file:
        memory = int(re.search(r"MemTotal: +(\d+) kB", file.read())[1])
    text = tune()
    assert f"# {memory // 1024} MB of memory, " \
        f"{os.sysconf('SC_NPROCESSORS_ONLN')} core" in text
    assert text == tune("--cores", str(os.sysconf("SC_NPROCESSORS_ONLN")))


def test_every_setting_has_a_reason_and_its_source(tune):
    text = tune("--memory", "4G")
    body = text[text.index("\n\n"):]
    parts = body.strip().split("\n\n")
    assert len(parts) > 25
    for part in parts[:-1]:
        *why, setting = part.splitlines()
        assert re.fullmatch(r"[a-z_]+ = \S.*", setting), part
        assert why and all(line.startswith("# ") for line in why), part
        assert re.search(r"\[20\.\d+", part), part
    assert max(map(len, text.splitlines())) <= 80


def test_storage_and_connections_are_heard(tune):
    disk, ssd = (settings(tune("--storage", one)) for one in ("disk", "ssd"))
    assert (disk["random_page_cost"], ssd["random_page_cost"]) == ("4", "1.1")
    assert settings(tune("--connections", "321"))["max_connections"] == "321"
    few, many = (kb(settings(tune("--memory", "4G", "--connections", one))
                    ["work_mem"]) for one in ("20", "200"))
    assert few > many
    replica = tune(DATABASE_READ_URL="postgresql:///x")
    assert int(settings(replica)["max_connections"]) == 150


def test_commits_stay_durable(tune):
    assert settings(tune())["synchronous_commit"] == "on"


@pytest.mark.parametrize("words,mistake", [
    (("--memory", "4"), "--memory must"), (("--memory", "127M"), "--memory must"),
    (("--memory", "-4G"), "--memory must"), (("--memory", "4GX"), "--memory must"),
    (("--memory", "9999999999999999999G"), "--memory must"),
    (("--cores", "0"), "--cores must"), (("--cores", "2x"), "--cores must"),
    (("--connections", "10001"), "--connections must")])
def test_a_wrong_number_is_told(tune, words, mistake):
    assert mistake in tune(*words, status=1)


@pytest.mark.parametrize("words", [("--storage", "tape"), ("all",), ("--what",)])
def test_what_is_asked_wrongly_is_answered_with_the_help(tune, words):
    assert "usage: waybill" in tune(*words, status=2)


# --- the running server -------------------------------------------------------------


def test_the_running_server_is_compared(stack, db):
    text = stack.waybill("tune", "--memory", "4G", "--cores", "2")
    printed = settings(text)
    told = {name: (now, then, restart) for name, now, then, restart in re.findall(
        r"^#   (\w+) +(\S+) -> (\S+)( \(restart\))?$", text, re.MULTILINE)}
    running = {name: (value, needs) for name, value, needs in db("""
        select name, current_setting(name), context = 'postmaster'
        from pg_settings where name = any(%s)""", list(printed))}
    # What this login cannot see, and what Waybill sets for its own connections.
    for name in ("shared_preload_libraries", "jit", "synchronous_commit"):
        assert name not in told
        running.pop(name)
    assert told == {
        name: (value, printed[name], " (restart)" if needs else "")
        for name, (value, needs) in running.items() if value != printed[name]}
    assert told["shared_buffers"][2] and not told["work_mem"][2]
    assert text.endswith("# then: sudo systemctl restart postgresql\n")
    major = db.one("show server_version").split(".")[0]
    assert f"/etc/postgresql/{major}/main/conf.d/waybill.conf" in text


def test_without_a_server_the_fragment_is_whole(tune):
    for url in ("", "postgresql:///x?host=/nowhere"):
        text = tune("--memory", "4G", DATABASE_URL=url)
        last = text.splitlines()[-1]
        assert last.startswith("# Not compared with the running server: ")
        assert len(settings(text)) > 25
