"""What no analysis of the units sees."""

import glob
import os
import re

import pytest

from helpers import ROOT

FOLDER = os.path.join(ROOT, "systemd")
SERVICES = sorted(glob.glob(os.path.join(FOLDER, "*.service")))
DROP_INS = glob.glob(os.path.join(FOLDER, "*.service.d", "*.conf"))
POOLS = ("read", "webhook", "upstream")
# What waybill.conf allows of both, and its defaults.
WORKERS_MOST, WORKERS_DEFAULT = (500, 500), (20, 30)


def read(*path):
    with open(os.path.join(ROOT, *path), encoding="utf-8") as file:
        return file.read()


def settings(path):
    return dict(re.findall(r"(?m)^(\w+)=(.*)$", read(path)))


def mib(text):
    assert text.endswith("M"), text
    return int(text[:-1])


OTHER_USERS = [path for path in DROP_INS
               if settings(path).get("User", "waybill") != "waybill"]


@pytest.mark.parametrize("path", OTHER_USERS, ids=os.path.basename)
def test_the_ipc_of_another_user_is_not_removed(path):
    """The sandbox of all units has RemoveIPC=yes: at the end of a service that
    runs as postgres that would take the server's shared memory away."""
    assert settings(path)["RemoveIPC"] == "no"


def test_there_is_such_a_unit():
    assert OTHER_USERS


def test_a_backup_notes_that_it_succeeded_where_it_is_looked_for():
    """Under the names that shared/backup.c knows; not when it has failed."""
    unit = settings(os.path.join(FOLDER, "waybill-backup@.service"))
    place = re.search(r"(?m)^#WAYBILL_BACKUP_DIR=(.*)$",
                      read("systemd", "waybill.conf"))[1]
    assert unit["ExecStartPost"] == f"/usr/bin/touch {place}/%i"
    assert place == "/var/lib/" + unit["StateDirectory"]
    assert unit["StateDirectoryMode"] == "0755"  # others look at it
    kinds = re.findall(r'= "(\w+)"', read("shared", "backup.c"))
    for kind in kinds:
        assert settings(os.path.join(
            FOLDER, f"waybill-backup-{kind}.timer"))["Unit"] == \
            f"waybill-backup@{kind}.service"
    assert len(kinds) == 2


def test_a_way_to_a_database_for_those_that_have_none():
    """The drop-in names the units that have no network."""
    drop_in = os.path.join(FOLDER, "database-network.conf")
    named = re.search(r"for unit in ([a-z ]+); do", read(drop_in))[1]
    assert set(named.split()) == {
        os.path.basename(path)[len("waybill-"):-len(".service")]
        for path in SERVICES
        if settings(path).get("PrivateNetwork") == "yes"}
    assert settings(drop_in)["PrivateNetwork"] == "no"
    assert f"for unit in {named}; do" in re.sub(
        r'"\s*"', "", read("ctl", "checkunits.c"))


# --- secrets --------------------------------------------------------------------

LOGIN = {"DATABASE_URL": "database-url"}
EASYPOST = {"EASYPOST_API_KEY": "easypost-api-key",
            "EASYPOST_TEST_API_KEY": "easypost-test-api-key"}
WEBHOOK = {"EASYPOST_WEBHOOK_SECRET": "webhook-secret",
           "EASYPOST_WEBHOOK_SECRET_PREVIOUS": "webhook-secret-previous"}
READ = {"DATABASE_READ_URL": "database-read-url"}
SECRETS = {**LOGIN, **READ, **EASYPOST, **WEBHOOK}
GIVEN = {"read": {**LOGIN, **READ}, "webhook": {**LOGIN, **WEBHOOK},
         "upstream": {**LOGIN, **EASYPOST}, "jobs": LOGIN, "refresh": LOGIN,
         "reconcile": {**LOGIN, **EASYPOST}, "backup@": {}}


@pytest.mark.parametrize("path", SERVICES, ids=os.path.basename)
def test_each_service_gets_the_secrets_that_it_needs(path):
    """And no other, not even from the configuration: that is set to nothing in its
    environment.  pgBackRest reads no configuration of ours."""
    name = os.path.basename(path)[len("waybill-"):-len(".service")]
    unit = read(path)
    given = GIVEN[name]
    assert dict(re.findall(r"(?m)^LoadCredential=(.*?):(.*)$", unit)) == {
        file: f"/etc/waybill/secrets/{file}" for file in given.values()}
    environment = dict(
        one.split("=", 1) for line in re.findall(r"(?m)^Environment=(.*)$", unit)
        for one in line.split())
    wanted = {f"{key}_FILE": f"/run/credentials/%n/{file}"
              for key, file in given.items()}
    if "waybill.conf" in unit:
        wanted |= {key: "" for key in SECRETS if key not in given}
    assert environment == wanted


def test_there_is_a_file_for_each_secret_that_only_root_reads():
    made = re.findall(r"(?m)^f (\S+) +(\S+ +\S+ +\S+)$",
                      read("systemd", "tmpfiles.d", "waybill.conf"))
    assert {path: how.split() for path, how in made} == {
        f"/etc/waybill/secrets/{file}": ["0600", "root", "root"]
        for file in SECRETS.values()}
    known = re.findall(r'\{ "(\w+)",\s*"(\w+)",\s*"([\w-]+)"\s*\}',
                       read("ctl", "credentials.c"))
    assert {(key, f"{key}_FILE", file) for key, file in SECRETS.items()} == \
        set(known)
    secret = re.findall(r'\{ "(\w+)", SETTING_(?:TOKEN|DATABASE|NFKD_SECRET),',
                        read("shared", "conf.c"))
    assert set(secret) == set(SECRETS)


# --- limits ---------------------------------------------------------------------


@pytest.mark.parametrize("path", SERVICES, ids=os.path.basename)
def test_each_service_has_limits(path):
    limits = settings(path)
    assert mib(limits["MemoryHigh"]) < mib(limits["MemoryMax"])
    assert 0 < int(limits["LimitNOFILE"]) <= 1024
    assert 0 < int(limits["TasksMax"]) <= 1600
    # pgBackRest's own does not fit into a number that is ours to know.
    if "waybill-backup" not in path:
        assert mib(limits["LimitDATA"]) <= 384


def test_no_service_dumps_core_or_dies_of_one_worker():
    """Nor does the drop-in, which wins, take the services' limits away."""
    sandbox = settings(os.path.join(FOLDER, "waybill-.service.d",
                                    "00-sandbox.conf"))
    assert sandbox["LimitCORE"] == "0"
    assert sandbox["OOMPolicy"] == "continue"
    assert not [name for name in sandbox if re.match(
        "Memory(Max|High)|TasksMax|Limit(?!CORE)", name)]
    assert not [path for path in SERVICES if settings(path).keys() & {
        "LimitCORE", "OOMPolicy"}]


def pool_table():
    """Share and MiB of a worker by name: shared/pool.c."""
    found = {name: (int(share), int(worker_mib))
             for name, share, worker_mib in re.findall(
                 r'\{ "(\w+)", +(\d+),.*?(\d+) \}', read("shared", "pool.c"))}
    assert set(found) == set(POOLS)
    return found


def most_workers(share, workers, overflow):
    return max(1, workers * share // 100) + overflow * share // 100


@pytest.mark.parametrize("pool", POOLS)
def test_the_workers_have_room(pool):
    """With the configuration as it comes all of them may be as large as one can
    get; tasks there are enough for any configuration."""
    limits = settings(os.path.join(FOLDER, f"waybill-{pool}.service"))
    share, worker_mib = pool_table()[pool]
    needed = 64 + worker_mib * most_workers(share, *WORKERS_DEFAULT)
    assert needed <= mib(limits["MemoryHigh"])
    assert mib(limits["MemoryMax"]) >= mib(limits["MemoryHigh"]) * 5 // 4
    assert mib(limits["LimitDATA"]) >= 2 * worker_mib
    # Twice the workers and two, the supervisor, and a configuration's test.
    assert int(limits["TasksMax"]) >= \
        2 * most_workers(share, *WORKERS_MOST) + 4


def test_the_configuration_is_that_of_the_limits():
    shipped = read("systemd", "waybill.conf")
    for name, default in zip(("WORKERS", "WORKERS_OVERFLOW"), WORKERS_DEFAULT):
        assert re.search(rf"(?m)^#{name}={default}$", shipped)
    table = re.findall(r'\{ "WORKERS(?:_OVERFLOW)?", .*?, "\d+", \d, (\d+),',
                       read("shared", "conf.c"))
    assert tuple(map(int, table)) == WORKERS_MOST
