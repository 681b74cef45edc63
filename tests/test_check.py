"""waybill check and waybill status: a healthy installation is called so, and each
fault is told with what mends it."""

import contextlib
import datetime
import json
import os
import re
import resource
import shutil
import ssl
import subprocess
import tempfile
import threading
import time

import pytest

from checked import ALONE, NO_DATABASE, NO_KEYS, Found, check, run
from checked import own, own_db  # noqa: F401: fixtures
from env.process import ENVIRONMENT
from fixtures import simulator
from helpers import ROOT, Client, deliver
import documents

HOOKS = "/v2/webhooks"


@pytest.fixture
def own_sim(own):
    found = simulator(own)
    yield found
    found.session.delete(found.base + "/_sim/fault", timeout=10)
    found.session.delete(found.base + "/_sim/canned", timeout=10)


def status(one, **more):
    done = run(one, "status", "--json", **more)
    assert (done.returncode, done.stderr) == (0, "")
    return json.loads(done.stdout)


# --- well ---------------------------------------------------------------------------


def test_a_healthy_installation(own):
    found = check(own, "--url", own.url, "--ca", own.ca)
    assert (found.status, found.states("FAIL")) == (0, []), found.out
    assert found.states("warn") == found.states("skip") == [], found.out
    assert "mode production" in found["key production"][1]
    assert "mode test" in found["key test"][1]
    assert found.out.endswith("ok 36, warnings 0, failed 0, skipped 0\n")
    quiet = check(own, "--quiet", "--url", own.url, "--ca", own.ca)
    assert (quiet.status, quiet.out) == (0, "")
    assert own.settings["EASYPOST_API_KEY"] not in found.out


def test_without_an_address_the_site_is_passed_over(own):
    found = check(own)
    assert found.status == 0
    found.tells("site", "skip", "not known", "check --url https://")
    assert found.states("skip") == ["certificate", "site"]


@pytest.mark.parametrize("words", [("--url", "http://ship.example.com"),
                                   ("--url", "https://x/y"), ("more",)])
def test_asked_wrongly(own, words):
    done = run(own, "check", *words)
    assert done.returncode == 2
    assert "usage" in done.stderr


# --- this host ------------------------------------------------------------------------


def test_a_configuration_that_cannot_be_used(own):
    found = check(own, WORKERS="many")
    found.fails("configuration", "environment: WORKERS must be", "waybill.conf")
    assert found["database"] == ["skip", "there is no configuration", None]
    found = check(own, conf_file=own.conf_file + ".not")
    found.fails("configuration", "cannot be read: No such file", "waybill.conf")


@contextlib.contextmanager
def mode_of(path, mode):
    before = os.stat(path).st_mode
    os.chmod(path, mode)
    yield
    os.chmod(path, before)


def test_secrets_that_everybody_can_read(own, tmp_path):
    with mode_of(own.conf_file, 0o644):
        check(own, **ALONE).fails("secrets", "0644: everybody",
                                    "chmod o= " + own.conf_file)
    key = tmp_path / "key"
    key.write_text(own.settings["EASYPOST_API_KEY"])
    key.chmod(0o604)
    conf = tmp_path / "waybill.conf"
    with open(own.conf_file, encoding="utf-8") as file:
        conf.write_text("".join(
            line for line in file if "EASYPOST_API_KEY" not in line)
            + f"EASYPOST_API_KEY_FILE={key}\n")
    conf.chmod(0o600)
    check(own, conf_file=conf, **NO_DATABASE).fails("secrets", "key has the mode 0604",
                                     f"chmod o= {key}")


def test_the_secrets_of_the_units(own, tmp_path):
    """Those beside the configuration are what the services get, whatever it
    says."""
    conf = tmp_path / "waybill.conf"
    shutil.copy(own.conf_file, conf)
    secrets = tmp_path / "secrets"
    secrets.mkdir(mode=0o700)
    for name in ("easypost-api-key", "easypost-test-api-key", "webhook-secret"):
        (secrets / name).write_text("")
        (secrets / name).chmod(0o600)
    found = check(own, conf_file=conf, **NO_DATABASE)
    found.fails("webhook secret", "is not set",
                f"cat > {secrets}/webhook-secret' (paste it, Enter, Ctrl-D); "
                "systemctl restart waybill-webhook")
    assert found["key test"][:2] == ["skip", "EASYPOST_TEST_API_KEY is not set"]
    (secrets / "webhook-secret").write_text("something")
    (secrets / "webhook-secret").chmod(0o640)
    check(own, conf_file=conf, **NO_DATABASE).fails(
        "secrets", "0640", f"chmod u=rw,go= {secrets}/webhook-secret")


def test_a_password_in_the_configuration_is_moved_by_the_command_it_says(
        own, tmp_path):
    conf, secrets = tmp_path / "waybill.conf", tmp_path / "secrets"
    secrets.mkdir(mode=0o700)
    file, url = secrets / "database-url", own.service_url.replace("//", "//a:b@")
    with open(own.conf_file, encoding="utf-8") as others:
        rest = [line for line in others
                if not re.match("DATABASE_URL|EASYPOST_[A-Z_]*(KEY|SECRET)", line)]
    for written in (url, f'"{url}"'):
        file.write_text("")
        file.chmod(0o600)
        conf.write_text("".join([f"# here\nDATABASE_URL={written}\n", *rest]))
        conf.chmod(0o640)
        found = check(own, conf_file=conf)
        found.tells("secrets", "warn", "the secret of DATABASE_URL in " +
                    str(conf), "systemctl restart waybill-read ")
        command = found["secrets"][2].partition("; systemctl ")[0]
        subprocess.run(command, shell=True, check=True)
        assert file.read_text() == url + "\n"
        assert conf.read_text() == "".join(["# here\n", *rest])
        assert [os.stat(one).st_mode & 0o777 for one in (file, conf)] == [
            0o600, 0o640]
        found = check(own, conf_file=conf)
        found.tells("secrets", "ok", "nobody else may read them", None)
        assert run(own, "config", "DATABASE_URL", conf_file=conf).stdout == \
            "DATABASE_URL=******** # environment, DATABASE_URL_FILE\n"


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can be two users")
def test_root_becomes_the_user_of_the_services(own):
    place = tempfile.mkdtemp(prefix="waybill-", dir="/var/tmp")
    try:
        os.chmod(place, 0o700)
        shutil.chown(place, "postgres", "postgres")
        found = check(own, WAYBILL_SPOOL_DIR=place, **NO_KEYS)
        found.tells("user", "ok", "as postgres", None)
        found.tells("spool", "ok", "nothing waits", None)
        found.tells("database", "ok", "PostgreSQL", None)
    finally:
        shutil.rmtree(place)


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can be two users")
def test_who_is_not_root_is_told_what_he_cannot_see(own):
    place = tempfile.mkdtemp(prefix="waybill-", dir="/var/tmp")
    try:
        os.chmod(place, 0o755)
        os.mkdir(place + "/secrets", 0o700)
        program = shutil.copy(own.service.program("waybill"), place)
        conf = place + "/waybill.conf"
        with open(conf, "w", encoding="utf-8") as file:
            file.write(f"DATABASE_URL={own.service_url}\nWAYBILL_RUN_DIR="
                       f"{own.run_dir}\nWAYBILL_SPOOL_DIR={own.spool_dir}\n"
                       f"WAYBILL_SQL_DIR={place}\n")
        os.chmod(conf, 0o644)
        found = check(own, conf_file=conf, user="postgres", program=program)
        for name in ("pool read", "spool", "key production", "webhook secret"):
            found.tells(name, "skip", "", "sudo waybill check")
        assert found["secrets"][0] == "FAIL"  # the configuration's mode
        hidden = {"conf_file": conf, "user": "postgres", "program": program,
                  "DATABASE_URL": ""}
        check(own, **hidden).tells("database", "skip", "only root may see it",
                                   "sudo waybill check")
        done = run(own, "refresh", **hidden)
        assert (done.returncode, done.stderr) == (
            4, "waybill: DATABASE_URL is not set, or where only root may see "
            "it: use sudo\n")
        assert "DATABASE_URL is not set, or where only root may see it: use sudo" \
            in run(own, "status", **hidden).stdout
        os.chmod(conf, 0o600)
        check(own, conf_file=conf, user="postgres", program=program).fails(
            "configuration", "Permission denied", "sudo waybill check")
    finally:
        shutil.rmtree(place)


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can be two users")
def test_what_the_check_says_works_for_root(own):
    """Over the socket the login is the name of the services' user, and EasyPost's
    keys are in files of root's."""
    place = tempfile.mkdtemp(prefix="waybill-", dir="/var/tmp")
    try:
        os.mkdir(place + "/secrets", 0o700)
        os.mkdir(place + "/spool", 0o700)
        shutil.chown(place + "/spool", "postgres", "postgres")
        os.chmod(place, 0o755)
        with open(place + "/secrets/easypost-test-api-key", "w",
                  encoding="ascii") as file:
            file.write(own.settings["EASYPOST_TEST_API_KEY"])
        with open(place + "/waybill.conf", "w", encoding="utf-8") as file:
            file.write(f"DATABASE_URL={re.sub('//[^@/]*@', '//', own.service_url)}"
                       f"\nWAYBILL_SPOOL_DIR={place}/spool\n"
                       f"EASYPOST_API_BASE={own.sim.base}\n")
        for words, says in ((("jobs", "list"), ""), (("report",), ""),
                            (("backfill", "--type", "refund"), "test refunds ")):
            done = run(own, *words, conf_file=place + "/waybill.conf")
            assert done.returncode == 0, (words, done.stderr)
            assert says in done.stdout
        done = run(own, "key", "list", conf_file=place + "/waybill.conf")
        assert done.returncode == 1 and "database's owner may" in done.stderr
    finally:
        shutil.rmtree(place)


def test_a_pool_that_does_not_run(own):
    own.stop_pool("webhook")
    try:
        check(own, **ALONE).fails(
            "pool webhook", "nobody answers at .*webhook.sock",
            "systemctl enable --now waybill-webhook.socket waybill-webhook")
    finally:
        own.start_pool("webhook")


def test_a_socket_that_everybody_can_open(own):
    with mode_of(own.service.socket("read"), 0o666):
        check(own, **ALONE).fails(
            "pool read", "mode 0666: anybody may stop workers",
            "systemctl restart waybill-read.socket")


def test_what_waits_and_what_was_refused(own, tmp_path):
    for name in ("tmp", "new", "bad"):
        (tmp_path / name).mkdir()
    old = f"{int(time.time() - 600) * 1000000:020d}.1.0"
    (tmp_path / "new" / old).write_text("x")
    more = {"WAYBILL_SPOOL_DIR": str(tmp_path), **ALONE}
    check(own, **more).fails(
        "spool", "waiting for the database: 1, the oldest for 10 min",
        "systemctl enable --now waybill-jobs")
    (tmp_path / "new" / old).rename(tmp_path / "bad" / old)
    check(own, **more).fails("spool", "refused by the database: 1", "waybill spool list")
    check(own, WAYBILL_SPOOL_DIR=str(tmp_path / "no"), **ALONE).fails(
        "spool", "No such file", "systemd-tmpfiles --create")


def test_a_disk_that_is_too_small(own):
    check(own, SPOOL_MAX_BYTES=str(10 ** 17), **ALONE).warns(
        "disk of the spool", "less than the [0-9]+ that the spool may need",
        "df -h " + own.spool_dir)


@pytest.mark.skipif(os.geteuid() != 0, reason="only root mounts")
def test_units_that_allow_too_little_memory(own, tmp_path):
    """What the kernel says that systemd has asked of it."""
    for pool, high in (("read", "max"), ("upstream", str(200 << 20))):
        folder = tmp_path / "system.slice" / f"waybill-{pool}.service"
        folder.mkdir(parents=True)
        (folder / "memory.high").write_text(high + "\n")
    found = check_beside(own, tmp_path)
    found.warns("memory", "waybill-upstream: 1 workers, all there may be, need 224 "
                "MiB at most, its unit allows 200", "systemctl set-property "
                "waybill-upstream MemoryHigh=224M MemoryMax=280M")
    (folder / "memory.high").write_text(f"{224 << 20}\n")
    assert check_beside(own, tmp_path)["memory"][0] == "ok"


@pytest.mark.skipif(os.geteuid() != 0, reason="only root mounts")
def test_more_workers_than_the_machine_has_memory_for(own, tmp_path):
    (tmp_path / "meminfo").write_text("MemTotal:        2097152 kB\n")

    def found(workers, overflow):
        return check_beside(own, tmp_path / "meminfo", "/proc/meminfo",
                            WORKERS=workers, WORKERS_OVERFLOW=overflow)

    one = found("20", "30")
    one.warns("memory", "50 workers, all there may be, need 5232 MiB at most, "
              "this machine has 2048", "systemctl reload waybill-read")
    said = re.findall(r"WORKERS(?:_OVERFLOW)?=(\d+)", one["memory"][2])
    assert 15 < sum(map(int, said)) < 22
    assert found(*said)["memory"][0] == "ok"


@pytest.mark.skipif(os.geteuid() != 0, reason="only root mounts")
def test_a_service_that_has_not_got_the_secret_that_is_there(own, tmp_path):
    """Of what systemd gave it when it started."""
    conf, secrets = tmp_path / "waybill.conf", tmp_path / "secrets"
    conf.write_text(f"WAYBILL_SPOOL_DIR={own.spool_dir}\n")
    conf.chmod(0o640)
    given = tmp_path / "run" / "credentials" / "waybill-upstream.service"
    for folder in (secrets, given):
        folder.mkdir(parents=True, mode=0o700)
        for name in ("easypost-api-key", "database-url"):
            (folder / name).write_text("")
            (folder / name).chmod(0o600)

    def found():
        return check_beside(own, tmp_path / "run", "/run", conf_file=conf)

    assert found()["secrets"][:2] == ["ok", "nobody else may read them"]
    (secrets / "easypost-api-key").write_text(own.settings["EASYPOST_API_KEY"])
    found().tells(
        "secrets", "warn", "waybill-upstream goes on with what easypost-api-key "
        "was", "systemctl restart waybill-upstream")
    shutil.copy(secrets / "easypost-api-key", given)
    assert found()["secrets"][0] == "ok"


def check_beside(own, path, place="/sys/fs/cgroup", conf_file=None, **more):
    """With this path in place of the kernel's, or the system's."""
    done = subprocess.run(
        ["unshare", "--mount", "sh", "-euc",
         'mount --bind "$0" "$1"; shift; exec "$@"', path, place,
         own.service.program("waybill"), "-c", conf_file or own.conf_file,
         "check"],
        capture_output=True, text=True, check=False, timeout=40, cwd="/",
        env={**ENVIRONMENT, **ALONE, **more})
    assert done.stderr == ""
    return Found(done.returncode, done.stdout)



# --- the background -----------------------------------------------------------------------


@pytest.fixture
def undone(own_db):
    """What the test changes in these tables is as it was afterwards."""
    tables = ("system_metrics", "refresh_history", "reconciliation_ledger",
              "jobs")
    for table in tables:
        own_db(f"create temp table kept_{table} as table waybill.{table}")
    yield own_db
    for table in tables:
        own_db(f"delete from waybill.{table}")
        own_db(f"insert into waybill.{table} table kept_{table}")
        own_db(f"drop table kept_{table}")


def test_jobs_that_do_not_run(own, undone):
    own.stop_pool("jobs")
    try:
        undone("delete from system_metrics")
        check(own, **NO_KEYS).fails("jobs", "does not run",
                                    "systemctl enable --now waybill-jobs")
        undone("insert into system_metrics (timestamp, host) values "
               "(now() - interval '3 hours', 'here')")
        check(own, **NO_KEYS).fails("jobs", "last seen 3 h ago",
                                    "systemctl enable --now waybill-jobs")
    finally:
        own.start_pool("jobs")


def test_jobs_that_have_failed(own, undone):
    undone("insert into jobs (kind, state, error) values ('x', 'failed', 'y')")
    check(own, **NO_KEYS).fails("queue", "failed for good: 1",
                                "waybill jobs list")
    undone("update jobs set state = 'queued', run_at = now() - interval '1 h' "
           "where kind = 'x'")
    # The jobs at work take it within a second: nobody looks meanwhile.
    undone("begin")
    undone("select id from jobs for update")
    check(own, **NO_KEYS).fails("queue", "one is due since 60 min",
                                "systemctl restart waybill-jobs")
    undone("rollback")


def test_timers_that_do_not_run(own, undone):
    undone("update refresh_history set started_at = now() - interval '3 days'")
    undone("update reconciliation_ledger set checked_at = "
           "now() - interval '3 days'")
    found = check(own, **NO_KEYS)
    assert found.states("FAIL") == ["reconcile", "refresh"], found.out
    found.tells("refresh", "FAIL", "last ran 3 days ago",
                "systemctl enable --now waybill-refresh.timer")
    found.tells("reconcile", "FAIL", "last ran 3 days ago",
                "systemctl enable --now waybill-reconcile.timer")
    undone("delete from refresh_history")
    found = check(own, **NO_KEYS)
    found.tells("refresh", "warn", "never", "systemctl start waybill-refresh")


def test_figures_that_drift_and_days_that_lack_something(own, undone):
    undone("update refresh_history set drift = 7 "
           "where view_name = 'mv_top_routes'")
    undone("update reconciliation_ledger set is_complete = false, "
           "day = day - 4")
    found = check(own, **NO_KEYS)
    assert found.states("FAIL") == ["drift", "ledger"], found.out
    found.tells("drift", "FAIL", "wrong, and repaired: 7", "waybill refresh")
    found.tells("ledger", "FAIL", "not complete here .*: 1",
                "waybill reconcile --days 5")


def test_events_that_nobody_can_give_are_told_and_alarm_nobody(own, undone):
    """They are from before the webhook was registered."""
    undone("update reconciliation_ledger set is_complete = false, "
           "object = 'event', missing_ids = '{evt_0}'")
    found = check(own, **NO_KEYS)
    assert found.states("FAIL") == [], found.out
    found.tells("ledger", "warn", "cannot give: 1", "webhook register")
    undone("update reconciliation_ledger set is_complete = false, "
           "object = 'event', missing_ids = '{}'")
    assert check(own, **NO_KEYS).states("FAIL") == ["ledger"]


# --- EasyPost ------------------------------------------------------------------------------


def test_a_key_that_easypost_refuses(own, own_sim):
    """The production key is asked with first."""
    own_sim.fault(f"GET {HOOKS}*", "status", status=401, times=1)
    found = check(own, **NO_DATABASE)
    found.fails("key production", r"the production key \(EASYPOST_API_KEY\) with "
                "status 401", "EASYPOST_API_KEY= in " + own.conf_file)
    assert found["webhook production"][0] == "skip"
    assert found["key test"][0] == "ok"
    own_sim.fault(f"GET {HOOKS}*", "status", status=401, skip=1, times=1)
    check(own, **NO_DATABASE).fails("key test", "EASYPOST_TEST_API_KEY", own.conf_file)
    own_sim.fault(f"GET {HOOKS}*", "status", status=503, times=2)
    check(own, **NO_DATABASE).warns("key test", "status 503", "in a minute")


def test_a_key_of_the_other_mode(own, own_sim):
    hooks = {"webhooks": [hook(own, mode="test")]}
    own_sim.canned("GET", HOOKS, hooks, times=1)
    check(own, **NO_DATABASE, EASYPOST_TEST_API_KEY="").fails(
        "key production", "a key of the mode test", "EASYPOST_API_KEY=")


def test_an_easypost_that_does_not_answer(own):
    found = check(own, **NO_DATABASE,
                  EASYPOST_API_BASE="http://127.0.0.1:9")
    found.tells("key test", "FAIL", "http://127.0.0.1:9 does not answer",
                "curl -v http://127.0.0.1:9/")
    assert found["webhook test"][0] == "skip"
    assert found["clock of EasyPost"][0] == "skip"


def hook(own, **more):
    return {"id": "hook_1", "object": "Webhook", "mode": "production",
            "url": own.url + "/webhooks/easypost", "disabled_at": None,
            "created_at": "2026-11-01T00:00:00Z", **more}


def test_a_webhook_that_easypost_has_disabled(own, own_sim):
    url = own.url.replace("https://", "https://shop:secret-word@")
    for hooks, state, text in (
            ([hook(own, disabled_at="2026-11-02T03:04:05Z")], "FAIL",
             "has disabled hook_1, since 2026-11-02"),
            ([], "FAIL", "none is registered at EasyPost for 127.0.0.1:"),
            ([hook(own, url="https://elsewhere/webhooks/easypost")], "FAIL",
             "none is registered"),
            ([hook(own, disabled_at="2026-11-02T03:04:05Z"),
              hook(own, id="hook_2", url=url + "/webhooks/easypost")], "ok",
             "hook_2")):
        own_sim.canned("GET", HOOKS, {"webhooks": hooks}, times=1)
        found = check(own, "--url", own.url, "--ca", own.ca,
                      **NO_DATABASE, EASYPOST_TEST_API_KEY="")
        found.tells("webhook production", state, text, None if state == "ok" else
                    f"waybill webhook register {own.url}/webhooks/easypost "
                    "--mode production")
        assert found.status == (state == "FAIL")
        assert "secret-word" not in found.out


def test_webhooks_that_nobody_can_sign(own):
    check(own, EASYPOST_WEBHOOK_SECRET="", **ALONE).fails(
        "webhook secret", "is not set: webhooks are answered with 503",
        "EASYPOST_WEBHOOK_SECRET= in")
    check(own, EASYPOST_WEBHOOK_ALLOW_UNSIGNED="true", **ALONE).fails(
        "webhook secret", "nobody signed",
        "EASYPOST_WEBHOOK_ALLOW_UNSIGNED=false")


def test_a_clock_that_is_wrong(own, own_sim):
    then = datetime.datetime.now(datetime.timezone.utc) \
        + datetime.timedelta(minutes=10)
    own_sim.canned("GET", HOOKS, {"webhooks": [hook(own)]}, times=1, headers={
        "Date": then.strftime("%a, %d %b %Y %H:%M:%S GMT")})
    check(own, **NO_DATABASE, EASYPOST_TEST_API_KEY="").fails(
        "clock of EasyPost", r"(599|600)\.0 s behind EasyPost's",
        "timedatectl set-ntp true")


# --- the site ----------------------------------------------------------------------------------


def make_certificate(folder, name, days):
    subprocess.run(
        ["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt",
         "ec_paramgen_curve:prime256v1", "-nodes", "-days", str(days), "-subj",
         "/CN=" + name, "-addext", f"subjectAltName={name}", "-keyout",
         folder / "key", "-out", folder / "crt"],
        check=True, capture_output=True)
    return folder / "crt"


@contextlib.contextmanager
def somebody(folder):
    """A TLS server that answers everybody with the same document; its address."""
    import http.server

    class Handler(http.server.BaseHTTPRequestHandler):
        def do_GET(self):
            self.send_response(200)
            self.send_header("Content-Length", "2")
            self.end_headers()
            self.wfile.write(b"{}")

        def log_message(self, *_):
            pass

    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(folder / "crt", folder / "key")
    server.socket = context.wrap_socket(server.socket, server_side=True)
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    try:
        yield f"https://127.0.0.1:{server.server_port}"
    finally:
        server.shutdown()
        server.server_close()
        thread.join(10)


def test_a_certificate_that_ends_soon_or_is_for_another_name(own, tmp_path):
    make_certificate(tmp_path, "IP:127.0.0.1", 3)
    with somebody(tmp_path) as url:
        found = check(own, "--url", url, "--ca", tmp_path / "crt", **ALONE)
        assert found.states("FAIL") == ["certificate", "site"], found.out
        found.tells("certificate", "FAIL", "days left: [23]$", "certbot renew")
        found.tells("site", "FAIL", "somebody else than Waybill", "server_name")
        found = check(own, "--url", url, **ALONE)
        found.fails("site", "certificate", "--ca FILE")
    make_certificate(tmp_path, "DNS:elsewhere.example.com", 3)
    with somebody(tmp_path) as url:
        check(own, "--url", url, "--ca", tmp_path / "crt", **ALONE).fails(
            "site", "does not match|no alternative", "certbot certonly --webroot")


def test_a_site_that_does_not_answer(own):
    check(own, "--url", "https://127.0.0.1:9", **ALONE).fails(
        "site", "https://127.0.0.1:9: .*(refused|connect)", "nginx -t")


ROOM = "worker_rlimit_nofile 20000;\nevents { worker_connections %d; }\n"


@pytest.mark.parametrize("text,said,cure", [
    ("events {\n\tworker_connections 768;\n\t# multi_accept on;\n}\n",
     "worker_connections is 768", "s/worker_connections .*/worker_connections 8192;/"),
    ("# worker_connections 8192;\nevents { }", "worker_connections is 512",
     "worker_connections 8192;"),
    ("", "worker_connections is 512", "worker_connections 8192;"),
    (ROOM % 20001, "may open 20000 files, and have 20001",
     "worker_rlimit_nofile 20000;"),
    ("pid PID;events{worker_connections 8192;}", "may open 4444 files",
     "worker_rlimit_nofile 20000;"),
    (ROOM % 8192, "each of its processes: 8192", None),
    ("pid /nothing; events { worker_connections 8192; }",
     "each of its processes: 8192", None)])
def test_the_room_for_slow_clients(own, tmp_path, text, said, cure):
    (tmp_path / "conf").write_text(text.replace("PID", f"{tmp_path}/pid"))
    with subprocess.Popen(
            ["sleep", "60"], preexec_fn=lambda: resource.setrlimit(
                resource.RLIMIT_NOFILE, (4444, 4444))) as process:
        (tmp_path / "pid").write_text(f"{process.pid}\n")
        found = check(own, "--nginx", tmp_path / "conf", **ALONE)
        process.kill()
    found.tells("nginx", "warn" if cure else "ok", said, cure)


def test_what_the_readme_says_is_room_enough(own, tmp_path):
    with open(os.path.join(ROOT, "README.md"), encoding="utf-8") as file:
        said = re.findall(r"worker_\w+ \d+;", file.read())
    assert len(said) == 2
    (tmp_path / "conf").write_text(" ".join(said))
    check(own, "--nginx", tmp_path / "conf", **ALONE).tells(
        "nginx", "ok", "8192", None)
    check(own, "--nginx", tmp_path / "none", **ALONE).tells(
        "nginx", "skip", "No such file", "--nginx FILE")


# --- status -----------------------------------------------------------------------------------


def test_what_is_going_on(own):
    event = documents.event("batch.updated", documents.batch())
    assert deliver(Client(own), event).status_code == 200
    told = status(own)
    assert told["read"]["workers"] == told["read"]["limit"] == 1
    assert told["database"]["schema_version"] > 0
    assert told["traffic"]["database_bytes"] > 1000000
    assert told["spool"] == {"waiting": 0, "bytes": 0, "refused": 0,
                             "oldest_s": None}
    assert told["work"]["failed"] == 0
    newest = told["newest_events"][0]
    assert newest["description"] == "batch.updated"
    assert newest["object_id"] == event["result"]["id"]
    text = run(own, "status").stdout
    assert re.search(r"^database +PostgreSQL .* MB, answers in", text, re.M)
    assert re.search(r"^upstream +workers 1, busy 0, at most 1; requests", text, re.M)
    assert "batch.updated" in text
    assert len(text.splitlines()) <= 24
    assert max(len(line) for line in text.splitlines()) <= 100


def test_what_cannot_be_reached_is_told(own, tmp_path):
    more = {"DATABASE_URL": f"postgresql:///waybill?host={tmp_path}",
            "WAYBILL_SPOOL_DIR": str(tmp_path / "no")}
    told = status(own, **more)
    assert "No such file" in told["trouble"]["database"]
    assert told["read"]["workers"] == 1
    assert told["newest_events"] == []
    done = run(own, "status", **more)
    assert done.returncode == 0
    assert re.search("^database .*No such file", done.stdout, re.M)
    assert re.search("^spool .*No such file", done.stdout, re.M)
    assert run(own, "status", "--yaml").returncode == 2


