"""`make test-boot`: the package on a Debian that systemd has booted.

One machine and one story, in the order of the file: installed as the README
says, used, hurt, rebooted, upgraded, removed.  Not a part of `make test`: it
needs root, mmdebstrap and systemd-nspawn, and some minutes.  With an official
client where MODULES names a directory into which npm has put it.
"""

import contextlib
import hashlib
import json
import os
import pathlib
import re
import shutil
import subprocess
import sys
import time

import pytest

HERE = pathlib.Path(__file__).resolve().parent
sys.path[:0] = [str(HERE), str(HERE.parent)]

import documents  # noqa: E402: the path comes first
from env.run import SHIPMENT  # noqa: E402
from env.simulator import Simulator  # noqa: E402
from env.wait import wait_until  # noqa: E402
from helpers import Client, deliver  # noqa: E402
from load import Load, stopwatch  # noqa: E402
from machine import Machine, make_root  # noqa: E402

BUILD = HERE.parents[1] / "build"
POOLS = ("read", "webhook", "upstream")
SERVICES = tuple(f"waybill-{name}" for name in (*POOLS, "jobs"))
TIMERS = ("waybill-refresh.timer", "waybill-reconcile.timer")
SECRET = "boot-whsec-9b1f4c"
TEST_KEY, PRODUCTION_KEY = "EZTKbootsimulator0000", "EZAKbootsimulator0000"
CERTIFICATE = "/etc/ssl/certs/ship.pem"
# What the story itself puts there.
OURS = ("/var/tmp/waybill.deb",
        "/etc/systemd/system/waybill-refresh.timer.d",
        "/etc/systemd/system/waybill-refresh.timer.d/now.conf")
CLIENTS = 8  # of the load
# The longest that anybody may wait, and how soon after a boot (seconds).
OUTAGE_MAX = 0.5
LATENCY_MAX = 0.5
AFTER_BOOT_MAX = 5.0


class Box:
    """The installed Waybill, as helpers.Client wants a stack."""

    def __init__(self, machine, folder, sim):
        self.machine, self.folder, self.sim = machine, folder, sim
        self.url = "https://localhost"
        self.ca = os.path.join(folder, "ship.pem")
        self.key = None

    def client(self):
        return Client(self, self.key)

    def psql(self, sql):
        return self.machine.run(
            "runuser", "-u", "postgres", "--", "psql", "-XAtq", "-v",
            "ON_ERROR_STOP=1", "-d", "waybill", "-c", sql).strip()

    def as_owner(self, *words):
        return self.machine.run("runuser", "-u", "postgres", "-g", "waybill",
                                "--", "waybill", *words)

    def failed_units(self):
        return self.machine.run("systemctl", "--failed", "--plain",
                                "--no-legend").split()

    def main_pid(self, service):
        return int(self.machine.show(service, "MainPID"))

    def kill(self, pid, signal="KILL"):
        assert pid > 1, "nobody is to be killed"
        self.machine.run("kill", f"-{signal}", str(pid))

    def workers(self, service):
        return list(map(int, self.machine.run(
            "pgrep", "-P", str(self.main_pid(service)), check=False).split()))

    def is_healthy(self):
        with contextlib.suppress(OSError):
            return self.client().get("/health").status_code == 200
        return False

    def load(self):
        """Requests without end, each on a connection of its own, through nginx
        and a worker: of a connection that is kept, an nginx that reloads may
        say goodbye while the next request is under way."""
        def ask():
            return self.client().get("/livez",
                                     headers={"Connection": "close"})

        return Load([ask] * CLIENTS)


def report(**figures):
    """Figures for the page and the note: they are printed in the end."""
    path = BUILD / "boot.json"
    known = json.loads(path.read_text()) if path.exists() else {}
    path.write_text(json.dumps({**known, **figures}, indent=1))


@pytest.fixture(scope="module")
def package():
    [path] = BUILD.glob("waybill_*.deb")
    return path


def needed(package):
    """The packages that it needs, and those it recommends."""
    text = subprocess.run(
        ["dpkg-deb", "--field", package, "Depends", "Recommends"],
        capture_output=True, text=True, check=True).stdout
    names = re.sub(r"^\w+:", "", text, flags=re.M)
    return [re.sub(r"\(.*", "", one).split("|")[0].strip()
            for one in re.split(r"[,\n]", names) if one.strip()]


@pytest.fixture(scope="module")
def box(package, tmp_path_factory):
    folder = tmp_path_factory.mktemp("boot")
    root = make_root(BUILD / "boot", needed(package))
    (BUILD / "boot.json").unlink(missing_ok=True)
    overlay = BUILD / "boot" / "overlay"
    shutil.rmtree(overlay, ignore_errors=True)
    with contextlib.ExitStack() as rest:
        machine = rest.enter_context(Machine(root, overlay))
        machine.enter_network()
        sim = Simulator(str(folder), str(folder / "simulator.log"),
                        test_key=TEST_KEY, production_key=PRODUCTION_KEY)
        rest.callback(sim.stop)
        sim.start()
        yield Box(machine, folder, sim)
    shutil.rmtree(overlay, ignore_errors=True)


# --- installed ----------------------------------------------------------------


def test_it_installs_and_nothing_fails(box, package):
    box.files_before = files_of(box)
    box.machine.copy(package, OURS[0])
    box.machine.run("apt-get", "install", "-y", OURS[0])
    assert box.failed_units() == []
    listening = box.machine.run("ss", "-Hltn")
    assert ":443" not in listening, "nothing is served before it is asked for"


def files_of(box):
    return set(box.machine.run(
        "find", "/", "-xdev", "(", "-path", "/proc", "-o", "-path", "/sys",
        "-o", "-path", "/dev", "-o", "-path", "/run/systemd", ")", "-prune",
        "-o", "-print").splitlines())


def test_it_is_set_up_as_the_readme_says(box):
    run = box.machine.run
    run("openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt",
        "ec_paramgen_curve:prime256v1", "-nodes", "-days", "90", "-subj",
        "/CN=localhost", "-addext", "subjectAltName=DNS:localhost", "-keyout",
        "/etc/ssl/private/ship.key", "-out", CERTIFICATE)
    pathlib.Path(box.ca).write_text(run("cat", CERTIFICATE))
    run("sed", "-i", "-e", f"s,/etc/ssl/certs/ssl-cert-snakeoil.pem,"
        f"{CERTIFICATE},", "-e", "s,/etc/ssl/private/ssl-cert-snakeoil.key,"
        "/etc/ssl/private/ship.key,", "-e", "s,ship.example.com,localhost,",
        "/etc/nginx/sites-available/waybill")
    run("sed", "-i", "s/worker_connections .*/worker_connections 8192;/; "
        "1i worker_rlimit_nofile 20000;", "/etc/nginx/nginx.conf")
    for name, secret in (("easypost-api-key", PRODUCTION_KEY),
                         ("easypost-test-api-key", TEST_KEY),
                         ("webhook-secret", SECRET)):
        box.machine.write(f"/etc/waybill/secrets/{name}", secret)
    run("sed", "-i", "-e", "s,^#DATABASE_URL=.*,DATABASE_URL=postgresql:"
        "///waybill,", "-e", "s,^#EASYPOST_API_BASE=.*,EASYPOST_API_BASE="
        f"{box.sim.base},", "/etc/waybill/waybill.conf")
    for words in (["createuser", "waybill"], ["createdb", "waybill"]):
        run("runuser", "-u", "postgres", "--", *words)
    box.as_owner("migrate", "up")
    box.psql("grant waybill_worker, waybill_jobs to waybill")
    made = box.as_owner("key", "create", "--name", "shop", "--mode", "test",
                        "--scopes", "read,write,admin")
    box.key = re.search(r"wb_[\w-]+", made)[0]
    run("systemctl", "restart", *SERVICES)
    run("ln", "-s", "../sites-available/waybill", "/etc/nginx/sites-enabled/")
    run("nginx", "-t", "-q")
    run("systemctl", "reload-or-restart", "nginx")
    for service in SERVICES:
        assert box.machine.show(service, "ActiveState") == "active", service
    assert box.failed_units() == []
    # a reload is done when the new workers are there
    wait_until(box.is_healthy, 10, "nginx")


def test_only_nginx_may_open_the_sockets(box):
    listed = box.machine.run("stat", "-c", "%U:%G %a %n", *(
        f"/run/waybill/{pool}.sock" for pool in POOLS)).split("\n")
    assert [line[:18] for line in listed if line] == ["root:www-data 660 "] * 3
    refused = box.machine.run(
        "runuser", "-u", "nobody", "--", "perl", "-MIO::Socket::UNIX", "-e",
        "print IO::Socket::UNIX->new('/run/waybill/read.sock') ? 'in' : $!")
    assert refused == "Permission denied"


# --- used ---------------------------------------------------------------------


def test_a_shipment_is_bought_and_kept(box):
    client = box.client()
    made = client.post("/v2/shipments", document=SHIPMENT)
    assert made.status_code == 201, made.text
    shipment = made.json()
    bought = client.post(f"/v2/shipments/{shipment['id']}/buy", document={
        "rate": {"id": shipment["rates"][0]["id"]}})
    assert bought.status_code == 200, bought.text
    assert box.psql(
        "select tracking_code from waybill.shipments where easypost_id = "
        f"'{shipment['id']}'") == bought.json()["tracking_code"]


@pytest.mark.skipif("MODULES" not in os.environ,
                    reason="npm has put no official client there")
def test_the_official_client_for_node_works(box):
    box.machine.write("/etc/waybill/secrets/webhook-secret", "s\u00e9cret")
    box.machine.run("systemctl", "restart", "waybill-webhook")
    done = subprocess.run(
        ["node", str(HERE.parent / "accept" / "accept.mjs")], check=False,
        capture_output=True, text=True, timeout=180,
        env={**os.environ, "NODE_EXTRA_CA_CERTS": box.ca,
             "WAYBILL_URL": box.url, "WAYBILL_KEY": box.key,
             "EASYPOST_KEY": TEST_KEY})
    box.machine.write("/etc/waybill/secrets/webhook-secret", SECRET)
    box.machine.run("systemctl", "restart", "waybill-webhook")
    assert done.returncode == 0, done.stdout + done.stderr


def test_a_webhook_arrives(box):
    event = documents.event("tracker.updated",
                            documents.shipment(bought=True)["tracker"])
    assert deliver(box.client(), event, secret=SECRET).status_code == 200
    assert box.psql("select count(*) from waybill.webhook_events where "
                    f"easypost_id = '{event['id']}'") == "1"


def test_the_webhook_is_registered_and_tested(box):
    said = box.machine.run("waybill", "webhook", "register", "--ca",
                           CERTIFICATE, box.url + "/webhooks/easypost")
    assert box.url in box.machine.run("waybill", "webhook", "list"), said
    box.machine.run("waybill", "webhook", "test", "--ca", CERTIFICATE)


def test_the_timers_fire(box):
    for timer in TIMERS:
        assert box.machine.show(timer, "ActiveState") == "active"
        assert box.machine.show(timer, "NextElapseUSecRealtime"), timer
        service = timer.replace(".timer", ".service")
        box.machine.run("systemctl", "start", service)
        assert box.machine.show(service, "Result") == "success", \
            box.machine.run("journalctl", "-u", service, "--no-pager")
    assert int(box.psql("select count(*) from waybill.refresh_history")) >= 3


def test_all_is_well_says_the_check(box):
    found = box.machine.run("waybill", "check", "--url", box.url, "--ca",
                            CERTIFICATE)
    assert re.search("(?m)^ok +nginx ", found), found


# --- trusted ------------------------------------------------------------------


def test_the_processes_have_no_rights(box):
    for service in SERVICES:
        for pid in [box.main_pid(service), *box.workers(service)]:
            status = dict(re.findall(r"^(\w+):\s+(.*)$", box.machine.run(
                "cat", f"/proc/{pid}/status"), re.M))
            assert int(status["CapEff"], 16) == 0
            assert int(status["CapBnd"], 16) == 0
            assert status["NoNewPrivs"] == "1" and status["Seccomp"] == "2"
            assert status["Uid"].split()[0] != "0"
            assert re.search(r"^Max core file size +0 +0 ", box.machine.run(
                "cat", f"/proc/{pid}/limits"), re.M)
            maps = box.machine.run("cat", f"/proc/{pid}/maps")
            assert not re.search(r"^\S+ \S*w\S*x", maps, re.M)


def exposure(box, unit):
    text = box.machine.run("systemd-analyze", "security", "--no-pager", unit,
                           check=False)
    return float(re.search(r"exposure level for \S+ ([0-9.]+)", text)[1])


def test_what_a_break_in_would_reach_is_small(box):
    scores = {unit: exposure(box, f"{unit}.service") for unit in (
        *SERVICES, "waybill-refresh", "waybill-reconcile", "nginx",
        "postgresql@15-main")}
    report(exposure=scores)
    for name in ("read", "webhook", "jobs", "refresh"):
        assert scores[f"waybill-{name}"] <= 0.4, scores
    for name in ("upstream", "reconcile"):
        assert scores[f"waybill-{name}"] <= 1.2, scores


# --- hurt ---------------------------------------------------------------------


def test_restarts_and_reloads_lose_no_request(box):
    with box.load() as load:
        for _ in range(20):
            box.machine.run("systemctl", "restart", "waybill-read")
            box.machine.run("systemctl", "reload", "waybill-read")
        for _ in range(10):
            box.machine.run("systemctl", "reload", "nginx")
        wait_until(lambda: len(load.results) >= 10000, 300, "10,000 requests")
    slowest = load.times()[-1]
    report(restarts={"requests": len(load.results), "slowest_s": slowest,
                     "failed": len(load.failed())})
    assert load.failed() == []
    assert slowest <= LATENCY_MAX


def test_a_killed_supervisor_costs_no_request(box):
    outages = []
    with box.load() as load:
        for _ in range(20):
            before = box.main_pid("waybill-read")
            started = time.monotonic()
            box.kill(before)
            wait_until(lambda: box.main_pid("waybill-read") not in (0, before),
                       10, "another supervisor")
            known = len(load.results)
            # one more than are under way, which the old workers may end
            wait_until(lambda: len(load.results) > known + CLIENTS, 10,
                       "an answer of its workers")
            outages.append(time.monotonic() - started)
        wait_until(lambda: len(load.results) >= 5000, 300, "5,000 requests")
    slowest = load.times()[-1]
    report(kills={"requests": len(load.results), "slowest_s": slowest,
                  "failed": len(load.failed()), "outage_s": max(outages)})
    assert load.failed() == []
    assert slowest <= OUTAGE_MAX


def test_a_killed_worker_costs_one_request_at_most(box):
    with box.load() as load:
        for _ in range(100):
            before = wait_until(lambda: box.workers("waybill-read"), 10)
            box.kill(before[0])
            wait_until(lambda: before[0] not in box.workers("waybill-read")
                       and box.workers("waybill-read"), 10, "another worker")
    report(worker_kills={"requests": len(load.results),
                         "failed": len(load.failed())})
    assert len(load.failed()) <= 100


def test_sixty_crashes_end_nothing(box):
    for _ in range(60):
        before = box.main_pid("waybill-read")
        box.kill(before)
        wait_until(lambda: box.main_pid("waybill-read") not in (0, before), 10)
    answer, seconds = stopwatch(lambda: box.client().get("/livez"))
    report(after_sixty_crashes_s=seconds)
    assert answer.status_code == 200 and seconds <= 1.0


def test_a_hung_supervisor_is_replaced_by_the_watchdog(box):
    before = box.main_pid("waybill-read")
    box.kill(before, "STOP")
    started = time.monotonic()
    wait_until(lambda: box.main_pid("waybill-read") not in (0, before), 30,
               "the watchdog")
    seconds = time.monotonic() - started
    report(watchdog_s=seconds)
    assert box.client().get("/livez").status_code == 200
    assert seconds <= 11.5  # WatchdogSec=10, one for systemd, one look


# --- rebooted -----------------------------------------------------------------


def test_it_is_there_again_after_a_reboot(box):
    """And what the timer missed while the machine was off comes then."""
    stamp = "/var/lib/systemd/timers/stamp-waybill-refresh.timer"
    box.machine.run("mkdir", "-p", OURS[1])
    box.machine.write(OURS[2], "[Timer]\nRandomizedDelaySec=0\n")
    box.machine.run("touch", "-d", "2 days ago", stamp)
    before = int(box.psql("select count(*) from waybill.refresh_history"))
    box.machine.reboot()
    started = time.monotonic()
    wait_until(box.is_healthy, 60, "the first answer")
    seconds = time.monotonic() - started
    report(first_answer_after_boot_s=seconds)
    box.machine.wait_for_boot()
    assert box.failed_units() == []
    assert seconds <= AFTER_BOOT_MAX
    wait_until(lambda: int(box.psql(
        "select count(*) from waybill.refresh_history")) > before, 60,
        "the run that was missed")


# --- upgraded, removed --------------------------------------------------------


def test_an_upgrade_loses_no_request(box, package):
    newer = newer_package(package, box.folder)
    box.machine.copy(newer, "/var/tmp/newer.deb")
    pid = box.main_pid("waybill-read")
    box.machine.run("sed", "-i", "s/^#WORKERS=.*/WORKERS=24/",
                    "/etc/waybill/waybill.conf")
    with box.load() as load:
        said = box.machine.run("apt-get", "install", "-y",
                               "/var/tmp/newer.deb")
        box.machine.run("systemctl", "is-active", *SERVICES)
    assert load.failed() == [], said
    report(upgrade={"requests": len(load.results), "failed": 0,
                    "slowest_s": load.times()[-1]})
    assert "WORKERS=24" in box.machine.run("cat", "/etc/waybill/waybill.conf")
    assert box.main_pid("waybill-read") == pid, "the supervisor stays"
    assert box.failed_units() == []


def newer_package(package, folder, suffix="+1", migration=None):
    """The same, as another version, perhaps with a migration more."""
    tree = os.path.join(folder, "newer" + suffix)
    subprocess.run(["dpkg-deb", "--raw-extract", package, tree], check=True)
    control = pathlib.Path(tree, "DEBIAN", "control")
    control.write_text(re.sub(r"^Version: .*$", r"\g<0>" + suffix,
                              control.read_text(), flags=re.M))
    for path, text in (migration or {}).items():
        path = f"usr/share/waybill/sql/migrations/{path}"
        pathlib.Path(tree, path).write_text(text)
        digest = hashlib.md5(text.encode()).hexdigest()
        with open(os.path.join(tree, "DEBIAN", "md5sums"), "a",
                  encoding="utf-8") as sums:
            sums.write(f"{digest}  {path}\n")
    target = os.path.join(folder, f"newer{suffix}.deb")
    subprocess.run(["dpkg-deb", "--root-owner-group", "--build", tree, target],
                   check=True, capture_output=True)
    return target


def test_a_version_with_other_sql_and_the_way_back(box, package):
    """As docs/upgrade.md says it, while events and labels come."""
    number = int(box.psql("select max(version) from waybill.migrations")) + 1
    name = f"{number:04}_newer"
    box.machine.copy(newer_package(package, box.folder, "+2", {
        f"{name}.up.sql": "create table waybill.newer (id integer);\n",
        f"{name}.down.sql": "drop table waybill.newer;\n"}),
        "/var/tmp/newer.deb")
    kept = [Kept(box)]
    said = box.machine.run("apt-get", "install", "-y", "/var/tmp/newer.deb")
    assert "this version has other SQL" in said
    assert box.client().get("/readyz").status_code == 200, \
        "what runs is the version before, and the database is too"
    kept.append(Kept(box))
    box.as_owner("migrate", "up")
    box.machine.run("systemctl", "reload", *SERVICES[:3])
    box.machine.run("systemctl", "restart", "waybill-jobs")
    box.machine.run("waybill", "check", "--url", box.url, "--ca", CERTIFICATE)

    box.as_owner("migrate", "down")
    kept.append(Kept(box))
    box.machine.copy(package, OURS[0])
    box.machine.run("apt-get", "install", "-y", "--allow-downgrades", OURS[0])
    kept.append(Kept(box))
    box.as_owner("migrate", "up")
    box.machine.run("systemctl", "restart", *SERVICES)
    wait_until(lambda: "The spool is empty" in box.machine.run(
        "waybill", "spool", check=False), 60, "the spool to be empty")
    for one in kept:
        assert one.is_there()
    box.machine.run("waybill", "check", "--url", box.url, "--ca", CERTIFICATE)


class Kept:
    """An event and a shipment that were answered."""

    def __init__(self, box):
        self.box = box
        event = documents.event("tracker.updated", documents.tracker())
        assert deliver(box.client(), event, secret=SECRET).status_code == 200
        self.event = event["id"]
        # EasyPost's own key needs no database to be known.
        made = Client(box, TEST_KEY).post("/v2/shipments", document=SHIPMENT)
        assert made.status_code == 201, made.text
        self.shipment = made.json()["id"]

    def is_there(self):
        return self.box.psql(
            "select (select count(*) from waybill.webhook_events where "
            f"easypost_id = '{self.event}') + (select count(*) from "
            f"waybill.shipments where easypost_id = '{self.shipment}')") == "2"


def test_no_secret_is_told_anywhere(box):
    for secret in (SECRET, TEST_KEY, PRODUCTION_KEY, box.key):
        for place in ("journalctl --no-pager -o cat",
                      "cat /proc/[0-9]*/environ", "cat /proc/[0-9]*/cmdline",
                      "cat /var/log/nginx/*", "cat /var/log/postgresql/*"):
            # what searches must not be what is found
            found = box.machine.run(
                "bash", "-c", f"{place} 2>/dev/null | grep -acF -f /dev/fd/3"
                " 3<&0", check=False, stdin=secret)
            assert found == "0\n", (place, secret[:6])


def test_it_is_removed_and_purged(box):
    box.machine.run("apt-get", "remove", "-y", "waybill")
    assert box.machine.run("sh", "-c", "ls /etc/waybill") != ""
    assert box.failed_units() == []
    box.machine.run("nginx", "-t", "-q")
    box.machine.run("apt-get", "purge", "-y", "waybill")
    left = {path for path in files_of(box) - box.files_before
            if "waybill" in path and path not in OURS}
    assert left == set()
    assert box.psql("select count(*) > 0 from waybill.shipments") == "t"


