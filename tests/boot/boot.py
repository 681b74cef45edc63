"""`make test-boot`: the package on a Debian that systemd has booted.

One machine and one story, in the order of the file: installed with the lines of
the README, used, saved, hurt, rebooted, upgraded, removed.  Not a part of `make
test`: it needs root, mmdebstrap, systemd-nspawn and npm, and some minutes.
"""

import contextlib
import hashlib
import json
import os
import pathlib
import re
import shutil
import signal
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
from helpers import Client, children, deliver  # noqa: E402
from load import Load, stopwatch  # noqa: E402
from machine import Machine, make_root, packaged_unit  # noqa: E402

ROOT = HERE.parents[1]
BUILD = ROOT / "build"
POOLS = ("read", "webhook", "upstream")
SERVICES = tuple(f"waybill-{name}" for name in (*POOLS, "jobs"))
# Timers, and what each starts.
TIMERS = {"waybill-refresh": "waybill-refresh",
          "waybill-reconcile": "waybill-reconcile",
          "waybill-backup-full": "waybill-backup@full",
          "waybill-backup-diff": "waybill-backup@diff"}
TEST_KEY, PRODUCTION_KEY = "EZTKbootsimulator0000", "EZAKbootsimulator0000"
PASSWORD = "boot-password-0000"  # of the database
NAME = "localhost"  # of the site, for ship.example.com
CERTIFICATES = f"/etc/letsencrypt/live/{NAME}"
# What the README has one paste.
PASTED = {"secrets/easypost-api-key": PRODUCTION_KEY,
          "secrets/easypost-test-api-key": TEST_KEY}
# Where the story itself puts things.
OURS, AT_ONCE = "/var/tmp/story", "/etc/systemd/system/waybill-.timer.d"
CLIENTS = 8  # of the load
# Seconds: the longest that anybody may wait; without a supervisor, without a
# worker, with one that hangs (WatchdogSec= and one more), and after a boot.
LATENCY_MAX = 0.5
OUTAGE_MAX = 0.5
WORKER_MAX = 0.2
WATCHDOG_MAX = 11.0
AFTER_BOOT_MAX = 5.0


class Box:
    """The installed Waybill, as helpers.Client wants a stack."""

    def __init__(self, machine, folder, sim):
        self.machine, self.folder, self.sim = machine, folder, sim
        self.url = f"https://{NAME}"
        self.ca = os.path.join(folder, "ship.pem")
        self.key = self.secret = None

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

    def supervisor(self, service):
        """As this machine knows it: to be killed without a program in between."""
        def found():
            pid, name = self.machine.outside(self.main_pid(service))
            return pid if name == "waybill-fcgi" else None

        return wait_until(found, 10, "the supervisor")

    def wait_for_another(self, service, before, seconds):
        wait_until(lambda: self.main_pid(service) not in (0, before), seconds,
                   "another supervisor")

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
def modules():
    """Where npm has put the official client that `make accept` has, too."""
    folder = BUILD / "boot" / "client"
    known = json.loads((HERE.parent / "accept/package.json").read_text())
    name = "@easypost/api"
    subprocess.run(["npm", "install", "--silent", "--no-save", "--prefix",
                    folder, f"{name}@{known['dependencies'][name]}"],
                   check=True, timeout=300)
    return folder


@pytest.fixture(scope="module")
def peers():
    """Units of Debian's that nothing here needs, for a comparison."""
    return [packaged_unit(BUILD / "boot" / name, name)
            for name in ("php8.2-fpm", "redis-server")]


# After what needs this machine's network.
@pytest.fixture(scope="module")
def box(package, modules, peers, tmp_path_factory):
    folder = tmp_path_factory.mktemp("boot")
    root = make_root(BUILD / "boot", [*needed(package), "pgbackrest"])
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


def commands(document, section):
    """What a section has one type; those of several lines as one."""
    text = re.search(rf"(?ms)^## {section}\n(.*?)(?=^## )",
                     (ROOT / document).read_text())[1]
    return re.sub(r"\\\n *", "", "\n".join(re.findall(
        r"(?m)^    (.*)$", text))).replace("ship.example.com", NAME).split("\n")


@pytest.fixture(scope="module")
def readme():
    return commands("README.md", "Install")


def test_it_installs_and_nothing_fails(box, package, readme):
    make_certificate(box)
    box.files_before = files_of(box)
    box.machine.run("mkdir", "-p", f"{OURS}/build")
    box.machine.copy(package, f"{OURS}/build/{package.name}")
    made, _, install = readme[0].partition(" && ")
    assert made == "make deb"
    box.machine.shell(f"cd {OURS}; {install}")
    assert box.failed_units() == []
    listening = box.machine.run("ss", "-Hltn")
    assert ":443" not in listening, "nothing is served before it is asked for"


def make_certificate(box):
    """Where certbot would put one, and one that the machine trusts."""
    run = box.machine.run
    run("mkdir", "-p", CERTIFICATES)
    run("openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt",
        "ec_paramgen_curve:prime256v1", "-nodes", "-days", "90", "-subj",
        f"/CN={NAME}", "-addext", f"subjectAltName=DNS:{NAME}", "-keyout",
        f"{CERTIFICATES}/privkey.pem", "-out", f"{CERTIFICATES}/fullchain.pem")
    run("cp", f"{CERTIFICATES}/fullchain.pem",
        "/usr/local/share/ca-certificates/ship.crt")
    run("update-ca-certificates")
    pathlib.Path(box.ca).write_text(run("cat", f"{CERTIFICATES}/fullchain.pem"))


def files_of(box):
    return set(box.machine.run(
        "find", "/", "/run", "-xdev", "(", "-path", "/proc", "-o", "-path",
        "/sys", "-o", "-path", "/dev", ")", "-prune", "-o", "-print"
    ).splitlines())


def test_it_is_set_up_with_the_lines_of_the_readme(box, readme):
    box.machine.run("sed", "-i", "s,^#EASYPOST_API_BASE=.*,EASYPOST_API_BASE="
                    f"{box.sim.base},", "/etc/waybill/waybill.conf")
    box.machine.run("sed", "-i", f"s,ship.example.com,{NAME},",
                    "/etc/nginx/sites-available/waybill")
    *lines, curl = (line for line in readme[1:]
                    if "certbot certonly" not in line)
    assert len(lines) == len(readme) - 3 > 15
    pasted, key = dict(PASTED), "wb_..."
    for line in lines:
        stdin = next((pasted.pop(name) for name in PASTED
                      if f"{name}'" in line), None)
        said = box.machine.shell(line, stdin=stdin)
        if "waybill key create" in line:
            key = re.search(r"wb_[\w-]+", said)[0]
        if "letsencrypt" in line:  # nginx reloads after systemctl has returned
            wait_until(lambda: box.machine.run(
                "curl", "-s", f"{box.url}/livez", check=False), 10,
                "the site with its certificate")
    assert pasted == {} and "wb_..." in curl
    assert '"shipments":' in box.machine.shell(curl.replace("wb_...", key))
    made = box.as_owner("key", "create", "--name", "test", "--mode", "test",
                        "--scopes", "read,write,admin")
    box.key = re.search(r"wb_[\w-]+", made)[0]
    box.secret = box.machine.run("cat", "/etc/waybill/secrets/webhook-secret"
                                 ).strip()
    for service in SERVICES:
        assert box.machine.show(service, "ActiveState") == "active", service
    assert box.failed_units() == []
    assert box.url in box.machine.run("waybill", "webhook", "list")


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


def test_the_official_client_for_node_works(box, modules):
    box.machine.write("/etc/waybill/secrets/webhook-secret", "s\u00e9cret")
    box.machine.run("systemctl", "restart", "waybill-webhook")
    done = subprocess.run(
        ["node", str(HERE.parent / "accept" / "accept.mjs")], check=False,
        capture_output=True, text=True, timeout=180,
        env={**os.environ, "NODE_EXTRA_CA_CERTS": box.ca,
             "MODULES": str(modules), "WAYBILL_URL": box.url,
             "WAYBILL_KEY": box.key, "EASYPOST_KEY": TEST_KEY})
    box.machine.write("/etc/waybill/secrets/webhook-secret", box.secret)
    box.machine.run("systemctl", "restart", "waybill-webhook")
    assert done.returncode == 0, done.stdout + done.stderr


def test_a_webhook_arrives(box):
    event = documents.event("tracker.updated",
                            documents.shipment(bought=True)["tracker"])
    assert deliver(box.client(), event, secret=box.secret).status_code == 200
    assert box.psql("select count(*) from waybill.webhook_events where "
                    f"easypost_id = '{event['id']}'") == "1"


def test_all_is_well_says_the_check(box):
    found = box.machine.run("waybill", "check", "--url", box.url)
    assert re.search("(?m)^ok +nginx ", found), found


def test_a_secret_that_was_changed_wants_a_restart(box):
    for secret, says in (("another", "-> systemctl restart waybill-webhook\n"),
                         (box.secret, "ok    secrets ")):
        box.machine.write("/etc/waybill/secrets/webhook-secret", secret)
        assert says in box.machine.run("waybill", "check", check=False)


def test_a_timer_that_was_turned_off_is_told(box):
    off = "waybill-refresh.timer is off here"
    box.machine.run("systemctl", "start", "waybill-refresh")
    assert off not in box.machine.run("waybill", "check", check=False)
    box.machine.run("systemctl", "stop", "waybill-refresh.timer")
    found = box.machine.run("waybill", "check", check=False)
    assert off in found
    cure = re.search("-> (systemctl enable --now waybill-refresh.timer);", found)
    box.machine.run(*cure[1].split())
    assert "waybill-refresh.timer" not in box.machine.run(
        "waybill", "check", check=False)


# --- saved, and what happens by itself ----------------------------------------


def backups(box):
    [stanza] = json.loads(box.machine.run(
        "runuser", "-u", "postgres", "--", "pgbackrest", "info",
        "--output=json"))
    return [one["type"] for one in stanza["backup"]]


def test_backups_are_set_up_with_the_lines_of_the_documents(box):
    box.machine.shell("\n".join(commands("docs/backup.md", "Set up")))
    assert backups(box) == ["full"]
    assert box.failed_units() == []


def ends(box, service):
    return box.machine.run("journalctl", "-q", "--no-pager", "-o", "cat", "-u",
                           service).count("Finished ")


@pytest.mark.parametrize("timer", TIMERS)
def test_a_timer_fires_for_a_run_that_was_missed(box, timer):
    service = TIMERS[timer]
    box.machine.run("mkdir", "-p", AT_ONCE)
    box.machine.write(f"{AT_ONCE}/now.conf", "[Timer]\nRandomizedDelaySec=0\n")
    before = ends(box, service)
    box.machine.run("systemctl", "daemon-reload")
    box.machine.run("systemctl", "stop", f"{timer}.timer")
    box.machine.run("touch", "-d", "9 days ago",
                    f"/var/lib/systemd/timers/stamp-{timer}.timer")
    box.machine.run("systemctl", "start", f"{timer}.timer")
    wait_until(lambda: ends(box, service) > before, 60, lambda: box.machine.run(
        "journalctl", "-u", service, "--no-pager"))
    assert box.machine.show(f"{timer}.timer", "NextElapseUSecRealtime")


# What check, alerts and documents have an administrator type.
BY_HAND = ("status", "jobs list", "jobs retry all", "spool", "refresh", "report",
           "rebuild", "backfill", "reconcile --days 1")


@pytest.mark.parametrize("command", BY_HAND)
def test_what_timers_and_services_do_root_may_do_by_hand(box, command):
    box.machine.run("waybill", *command.split())


def test_what_the_timers_started_has_done_its_work(box):
    assert sorted(backups(box)) == ["diff", "full", "full"]
    assert int(box.psql("select count(*) from waybill.refresh_history")) >= 3
    assert int(box.psql("select count(*) from api.completeness")) > 0
    assert box.failed_units() == []


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


def exposure(text):
    return float(re.search(r"exposure level for \S+ ([0-9.]+)", text)[1])


def test_what_a_break_in_would_reach_is_small(box, peers):
    """Beside what Debian's own units leave open, as it packages them."""
    analyze = ("systemd-analyze", "security", "--no-pager")
    scores = {unit: exposure(box.machine.run(*analyze, f"{unit}.service",
                                             check=False))
              for unit in (*SERVICES, *TIMERS.values(), "nginx",
                           "postgresql@15-main")}
    for unit in peers:
        scores[unit.stem] = exposure(subprocess.run(
            [*analyze, "--offline=true", unit], check=False, text=True,
            capture_output=True).stdout)
    report(exposure=scores)
    for name in ("read", "webhook", "jobs", "refresh"):
        assert scores[f"waybill-{name}"] <= 0.4, scores
    for name in ("upstream", "reconcile", "backup@full", "backup@diff"):
        assert scores[f"waybill-{name}"] <= 1.2, scores
    for name in ("nginx", "postgresql@15-main", "php8.2-fpm"):
        assert scores[name] > 5, (scores, "this is no comparison")


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
            victim = box.supervisor("waybill-read")
            started, known = time.monotonic(), len(load.results)
            os.kill(victim, signal.SIGKILL)
            # one more than are under way, which the old workers may end
            wait_until(lambda: len(load.results) > known + CLIENTS, 10,
                       "an answer of new workers")
            outages.append(time.monotonic() - started)
            box.wait_for_another("waybill-read", before, 10)
        wait_until(lambda: len(load.results) >= 5000, 300, "5,000 requests")
    slowest = load.times()[-1]
    report(kills={"requests": len(load.results), "slowest_s": slowest,
                  "failed": len(load.failed()), "outage_s": max(outages)})
    assert load.failed() == []
    assert slowest <= LATENCY_MAX
    assert max(outages) <= OUTAGE_MAX


def test_a_killed_worker_costs_one_request_at_most(box):
    times = []
    supervisor = box.supervisor("waybill-read")
    with box.load() as load:
        for _ in range(100):
            before = wait_until(lambda: children(supervisor), 10)
            started = time.monotonic()
            os.kill(before[0], signal.SIGKILL)
            wait_until(lambda: set(children(supervisor)) - set(before), 10,
                       "another worker")
            times.append(time.monotonic() - started)
    report(worker_kills={"requests": len(load.results), "slowest_s": max(times),
                         "failed": len(load.failed())})
    assert len(load.failed()) <= 100
    assert max(times) <= WORKER_MAX


def test_sixty_crashes_end_nothing(box):
    for _ in range(60):
        before = box.main_pid("waybill-read")
        os.kill(box.supervisor("waybill-read"), signal.SIGKILL)
        box.wait_for_another("waybill-read", before, 10)
    answer, seconds = stopwatch(lambda: box.client().get("/livez"))
    report(after_sixty_crashes_s=seconds)
    assert answer.status_code == 200 and seconds <= 1.0


def test_a_hung_supervisor_is_replaced_by_the_watchdog(box):
    before = box.main_pid("waybill-read")
    victim = box.supervisor("waybill-read")
    started = time.monotonic()
    os.kill(victim, signal.SIGSTOP)
    box.wait_for_another("waybill-read", before, 30)
    assert box.client().get("/livez").status_code == 200
    seconds = time.monotonic() - started
    report(watchdog_s=seconds)
    assert seconds <= WATCHDOG_MAX


# --- rebooted -----------------------------------------------------------------


def test_it_is_there_again_after_a_reboot(box):
    """And what the timer missed while the machine was off comes then."""
    box.machine.run("touch", "-d", "2 days ago",
                    "/var/lib/systemd/timers/stamp-waybill-refresh.timer")
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
    box.machine.copy(newer, f"{OURS}/newer.deb")
    pid = box.main_pid("waybill-read")
    box.machine.run("sed", "-i", "s/^#WORKERS=.*/WORKERS=24/",
                    "/etc/waybill/waybill.conf")
    with box.load() as load:
        said = box.machine.run("apt-get", "install", "-y",
                               f"{OURS}/newer.deb")
        box.machine.run("systemctl", "is-active", *SERVICES)
    assert load.failed() == [], said
    report(upgrade={"requests": len(load.results), "failed": 0,
                    "slowest_s": load.times()[-1]})
    assert "WORKERS=24" in box.machine.run("cat", "/etc/waybill/waybill.conf")
    assert box.main_pid("waybill-read") == pid, "the supervisor stays"
    assert box.failed_units() == []


def newer_package(package, folder, suffix="+1", more=None):
    """The same, as another version, perhaps with more at the end of some
    files, or with more files."""
    tree = os.path.join(folder, "newer" + suffix)
    subprocess.run(["dpkg-deb", "--raw-extract", package, tree], check=True)
    control = pathlib.Path(tree, "DEBIAN", "control")
    control.write_text(re.sub(r"^Version: .*$", r"\g<0>" + suffix,
                              control.read_text(), flags=re.M))
    sums = pathlib.Path(tree, "DEBIAN", "md5sums")
    for path, text in (more or {}).items():
        with open(os.path.join(tree, path), "a", encoding="utf-8") as file:
            file.write(text)
        digest = hashlib.md5(pathlib.Path(tree, path).read_bytes()).hexdigest()
        sums.write_text(re.sub(rf".*  {re.escape(path)}\n", "",
                               sums.read_text()) + f"{digest}  {path}\n")
    target = os.path.join(folder, f"newer{suffix}.deb")
    subprocess.run(["dpkg-deb", "--root-owner-group", "--build", tree, target],
                   check=True, capture_output=True)
    return target


def test_a_version_with_other_sql_and_the_way_back(box, package):
    """As docs/upgrade.md says it, while events and labels come."""
    number = int(box.psql("select max(version) from waybill.migrations")) + 1
    name = f"{number:04}_newer"
    folder = "usr/share/waybill/sql/migrations/"
    more = {
        f"{folder}{name}.up.sql": "create table waybill.newer (id integer);\n",
        f"{folder}{name}.down.sql": "drop table waybill.newer;\n",
        "lib/systemd/system/waybill-read.service": "# newer\n",
        "usr/share/waybill/nginx/waybill-http.conf": "# newer\n"}
    kept = [Kept(box)]
    for suffix in ("+2", "+2a"):  # who forgets it is told once more
        box.machine.copy(newer_package(package, box.folder, suffix, more),
                         f"{OURS}/newer.deb")
        said = box.machine.run("apt-get", "install", "-y", f"{OURS}/newer.deb")
        assert "this version has other SQL" in said
        assert "systemctl restart waybill-read" in said
        assert box.client().get("/readyz").status_code == 200, \
            "what runs is the version before, and the database is too"
        kept.append(Kept(box))
    assert name in box.machine.run("waybill", "migrate", "status", check=False)
    box.as_owner("migrate", "up")
    box.machine.run("waybill", "migrate", "status")
    box.machine.run("systemctl", "restart", *SERVICES)
    box.machine.run("waybill", "check", "--url", box.url)

    box.as_owner("migrate", "down")
    kept.append(Kept(box))
    reloads = nginx_reloads(box)
    said = box.machine.run("apt-get", "install", "-y", "--allow-downgrades",
                           f"{OURS}/build/{package.name}")
    assert "systemctl restart waybill-read" in said, "as the newer one it ran"
    assert nginx_reloads(box) > reloads
    kept.append(Kept(box))
    box.as_owner("migrate", "up")
    box.machine.run("systemctl", "restart", *SERVICES)
    wait_until(lambda: "The spool is empty" in box.machine.run(
        "waybill", "spool", check=False), 60, "the spool to be empty")
    for one in kept:
        assert one.is_there()
    box.machine.run("waybill", "check", "--url", box.url)


def nginx_reloads(box):
    return box.machine.run("journalctl", "-q", "--no-pager", "-o", "cat", "-u",
                           "nginx").count("Reloaded ")


class Kept:
    """An event and a shipment that were answered."""

    def __init__(self, box):
        self.box = box
        event = documents.event("tracker.updated", documents.tracker())
        got = deliver(box.client(), event, secret=box.secret)
        assert got.status_code == 200
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


def test_an_upgrade_with_another_unit_loses_no_request(box, package):
    """It is in force: the service has been restarted, behind its socket."""
    box.machine.copy(newer_package(package, box.folder, "+3", {
        "lib/systemd/system/waybill-read.service":
        "\n[Service]\nEnvironment=NEWER=yes\n"}), f"{OURS}/newer.deb")
    before = box.main_pid("waybill-read")
    with box.load() as load:
        said = box.machine.run("apt-get", "install", "-y", f"{OURS}/newer.deb")
        known = len(load.results)
        wait_until(lambda: len(load.results) > known + 100, 10, "the load")
    assert "this version" not in said, "the database is as it wants it"
    report(upgrade_of_a_unit={"requests": len(load.results), "failed": 0,
                              "slowest_s": load.times()[-1]})
    assert load.failed() == [], said
    assert box.main_pid("waybill-read") not in (0, before), said
    assert b"NEWER=yes" in pathlib.Path(
        f"/proc/{box.supervisor('waybill-read')}/environ").read_bytes()
    assert box.failed_units() == []


def test_the_database_may_want_a_password(box):
    """As for one on another host: with the lines of database-network.conf, while
    waybill.conf still says the socket."""
    box.machine.shell("sudo -u postgres psql -c '\\password waybill'",
                      stdin=f"{PASSWORD}\n{PASSWORD}\n")
    head = "\n".join(re.findall(r"(?m)^#   (.*)$", (
        ROOT / "systemd/database-network.conf").read_text()))
    box.machine.shell(
        head, stdin=f"postgresql://waybill:{PASSWORD}@127.0.0.1/waybill\n")
    wait_until(box.is_healthy, 30, "the services")
    kept = Kept(box)
    box.machine.run("systemctl", "start", "waybill-refresh", "waybill-reconcile")
    assert kept.is_there()
    for command in BY_HAND:
        box.machine.run("waybill", *command.split())
    ways = box.psql("select application_name, coalesce(host(client_addr), '-') "
                    "from pg_stat_activity where usename = 'waybill'")
    assert {line.split("|")[1] for line in ways.split("\n")} == {"127.0.0.1"}
    assert {line.split("|")[0] for line in ways.split("\n")} >= set(SERVICES)
    box.machine.run("waybill", "check", "--url", box.url)
    assert "DATABASE_URL=******** # environment, DATABASE_URL_FILE" in \
        box.machine.run("waybill", "config", "DATABASE_URL")
    assert box.failed_units() == []


def test_no_secret_is_told_anywhere(box):
    for secret in (box.secret, TEST_KEY, PRODUCTION_KEY, box.key, PASSWORD):
        for place in ("journalctl --no-pager -o cat",
                      "cat /proc/[0-9]*/environ", "cat /proc/[0-9]*/cmdline",
                      "cat /var/log/nginx/*", "cat /var/log/postgresql/*"):
            # what searches must not be what is found
            found = box.machine.run(
                "bash", "-c", f"{place} 2>/dev/null | grep -acF -f /dev/fd/3"
                " 3<&0", check=False, stdin=secret)
            assert found == "0\n", (place, secret[:6])


# What is not of the package: what README and docs/backup.md put there, the
# database and its backups; and what others note, but none of it for Waybill.
ADMINISTRATORS = re.compile(
    "/etc/pgbackrest(/pgbackrest.conf)?$"
    "|/etc/postgresql/15/main/conf.d/waybill(-backup)?.conf$"
    "|/var/lib/(postgresql|pgbackrest)/|/var/(log|spool)/pgbackrest/waybill")
OTHERS = re.compile(
    "/etc/(passwd|group|shadow|gshadow)-$|/etc/nginx/sites-(available|enabled)$"
    "|/var/(cache|log)/|/var/lib/(apt|dpkg|nginx|systemd)/"
    "|/run/(log|postgresql|sudo|systemd)/|/run/nginx.pid$"
    "|(/var)?/tmp/systemd-private-")


def stays(path):
    return ADMINISTRATORS.match(path) or (OTHERS.match(path)
                                          and "waybill" not in path)


def test_it_is_removed_and_purged(box):
    box.machine.run("apt-get", "remove", "-y", "waybill")
    assert box.machine.run("sh", "-c", "ls /etc/waybill") != ""
    assert box.failed_units() == []
    box.machine.run("nginx", "-t", "-q")
    box.machine.run("apt-get", "purge", "-y", "waybill")
    box.machine.run("rm", "-r", OURS, AT_ONCE, *(
        f"/etc/systemd/system/waybill-{name}.service.d"
        for name in ("read", "webhook", "jobs", "refresh")))
    left = files_of(box) - box.files_before
    assert sorted(path for path in left if not stays(path)) == []
    assert box.psql("select count(*) > 0 from waybill.shipments") == "t"
