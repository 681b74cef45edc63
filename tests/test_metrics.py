"""/metrics: what Prometheus reads is true, complete and well formed."""

import datetime
import math
import os
import re
import signal
import time

import pytest

import documents
from env.stack import Stack
from helpers import (ROOT, Client, Database, assert_error, changed_settings,
                     children, deliver, parallel, reload_pool,
                     supervisor_pid, unique, wait_until, workers)

POOLS = {"read", "webhook", "upstream"}
SAMPLE = re.compile(r'([a-z_]+)(?:\{((?:[a-z_]+="[^"\\\n]*",?)*)\})? (\S+)')
LABEL = re.compile(r'([a-z_]+)="([^"\\\n]*)"')


class Metrics:
    """The text, read strictly: families in one piece, typed, no sample twice."""

    def __init__(self, text):
        self.types = {}
        self.samples = {}
        family = None
        assert text.endswith("\n") and "\n\n" not in text
        for line in text.splitlines():
            if line.startswith("# HELP "):
                family, _, words = line[7:].partition(" ")
                assert family not in self.types and words, line
                self.types[family] = None
            elif line.startswith("# TYPE "):
                name, kind = line[7:].split(" ")
                assert name == family and self.types[name] is None, line
                assert kind in ("counter", "gauge", "histogram"), line
                assert name.endswith("_total") == (kind == "counter"), line
                self.types[name] = kind
            else:
                self._take(line, family)

    def _take(self, line, family):
        match = SAMPLE.fullmatch(line)
        assert match, line
        name, labels, value = match.groups()
        if self.types[family] == "histogram":
            assert name in (family + "_bucket", family + "_sum",
                            family + "_count"), line
        else:
            assert name == family, line
        key = name, frozenset(LABEL.findall(labels or ""))
        assert key not in self.samples, line
        self.samples[key] = float(value)
        assert math.isfinite(self.samples[key]), line

    def value(self, name, **labels):
        return self.samples.get(("waybill_" + name,
                                 frozenset(labels.items())), 0.0)

    def of(self, name):
        """Labels and value of each sample of a name."""
        return [(dict(labels), value)
                for (one, labels), value in self.samples.items()
                if one == "waybill_" + name]

    def sum(self, name, **labels):
        return sum(value for found, value in self.of(name)
                   if labels.items() <= found.items())


def scrape(stack):
    got = Client(stack, stack.key).get("/metrics")
    assert got.status_code == 200, got.text
    assert got.headers["Content-Type"].startswith("text/plain; version=0.0.4")
    return Metrics(got.text)


def reaches(stack, look, expected):
    """Waits until the counters say so: a request is counted when it ended,
    which may be after its client went on."""
    seen = []

    def is_there():
        seen.append(look(scrape(stack)))
        return seen[-1] == expected

    wait_until(is_there, 10, lambda: f"{seen[-1]} to become {expected}")


# --- who and how ---------------------------------------------------------------------


def test_a_key_is_needed(stack, nobody):
    assert_error(nobody.get("/metrics"), 401, "AUTHENTICATION.REQUIRED")
    weak = stack.service.make_key(unique("weak "), "test", scopes="write")
    assert_error(Client(stack, weak).get("/metrics"), 403)


def test_other_verbs_and_parameters(client):
    assert_error(client.post("/metrics"), 405, "METHOD.NOT_ALLOWED")
    assert_error(client.get("/metrics?x=1"), 400)
    got = client("HEAD", "/metrics")
    assert got.status_code == 200 and got.content == b""


def test_only_this_machine_may_ask():
    with open(ROOT + "/nginx/waybill.in", encoding="utf-8") as file:
        block = re.search(r"geo \$waybill_may_scrape \{(.*?)\}", file.read(),
                          re.S)[1]
    assert re.findall(r"(\S+) +(\d);", block) == [
        ("default", "0"), ("127.0.0.1", "1"), ("::1", "1")]
    with open(ROOT + "/nginx/waybill-server.conf.in",
              encoding="utf-8") as file:
        block = re.search(r"location = /metrics \{(.*?)\n\}", file.read(),
                          re.S)[1]
    assert "if ($waybill_may_scrape = 0) { return 403; }" in block
    assert "fastcgi_cache" not in block


# --- what it says ---------------------------------------------------------------------


def test_the_families(stack, client):
    client.get("/v2/addresses/adr_1")
    metrics = scrape(stack)
    with open(ROOT + "/VERSION", encoding="ascii") as file:
        assert metrics.value("build_info", version=file.read().strip()) == 1
    assert metrics.value("database_up") == 1
    for pool in POOLS:
        assert metrics.value("up", pool=pool) == 1
        assert 1 <= metrics.value("pool_size", pool=pool) \
            <= metrics.value("pool_limit", pool=pool)
        assert sum(metrics.value("pool_workers", pool=pool, state=state)
                   for state in ("idle", "busy")) >= 1
        started = metrics.value("pool_start_time_seconds", pool=pool)
        assert time.time() - 3600 < started <= time.time()
        assert metrics.value("workers_started_total", pool=pool) >= 1
    assert metrics.value("pool_workers", pool="read", state="busy") >= 1
    assert set(metrics.types) == {"waybill_" + name for name in """
        build_info up pool_size pool_limit pool_database_connections
        pool_exports pool_breaker_open breaker_openings_total
        pool_start_time_seconds pool_workers workers_started_total
        worker_deaths_total worker_kills_total activities_dropped_total
        http_requests_uncounted_total http_requests_total
        limited_requests_total
        http_request_duration_seconds http_request_database_seconds
        upstream_requests_total upstream_request_duration_seconds
        upstream_down
        webhook_events_total database_up jobs jobs_oldest_seconds
        bulk_items_open bulk_overdue_seconds
        ledger_checked_timestamp_seconds ledger_incomplete
        webhook_failed spool_records spool_bytes spool_oldest_seconds
        spool_bad_records spool_limit_records spool_limit_bytes
        archive_late_seconds backup_timestamp_seconds
        database_connections database_connections_limit replicas
        jobs_heartbeat_timestamp_seconds
        sync_queue_depth sync_lag_seconds figures_unmerged view_drift
        view_refresh_duration_seconds
        view_refreshed_timestamp_seconds""".split()} - (
            set() if metrics.of("view_refresh_duration_seconds") else
            {"waybill_view_drift", "waybill_view_refresh_duration_seconds",
             "waybill_view_refreshed_timestamp_seconds"})
    assert {labels["state"] for labels, _ in metrics.of("jobs")} == {
        "queued", "running", "failed"}


def test_what_was_not_compared_has_no_drift(stack, client, db):
    """Carriers are the same sums as days, and not compared by themselves."""
    def figures():
        return client.get("/health").json()["data"]["background"]["figures"]

    db("delete from refresh_history")
    assert (figures()["compared_at"], figures()["drift"]) == (None, None)
    assert stack.waybill("refresh")
    compared = db.one("select max(started_at) from refresh_history where drift = 0")
    assert datetime.datetime.fromisoformat(
        figures()["compared_at"].replace("Z", "+00:00")) == compared
    assert figures()["drift"] == 0
    metrics = scrape(stack)
    assert {labels["view"] for labels, _ in metrics.of("view_drift")} == {
        "mv_daily_shipment_analytics", "mv_top_routes"}
    assert {labels["view"] for labels, _ in metrics.of(
        "view_refreshed_timestamp_seconds")} == {
            "mv_daily_shipment_analytics", "mv_carrier_performance", "mv_top_routes"}


def test_requests_are_counted(stack, client, nobody):
    before = scrape(stack)
    for _ in range(7):
        assert client.get("/livez").status_code == 200
    for _ in range(3):
        assert nobody.get("/db/addresses").status_code == 401
    assert client("PURGE", "/livez").status_code == 405
    assert client.get("/nowhere/at/all").status_code == 404
    for labels, count in (
            ({"route": "/livez", "method": "GET", "code": "200"}, 7),
            ({"route": "/db/addresses", "method": "GET", "code": "401"}, 3),
            ({"route": "/livez", "method": "other", "code": "405"}, 1),
            ({"route": "unmatched", "method": "GET", "code": "404"}, 1)):
        labels["pool"] = "read"
        old = before.value("http_requests_total", **labels)
        reaches(stack, lambda one, labels=labels: one.value(
            "http_requests_total", **labels), old + count)


def test_labels_are_bounded(stack, client):
    """Whatever is asked for, routes are patterns."""
    for number in range(20):
        client.get(f"/db/shipments/{unique()}")
        client.get(f"/{unique()}")
        client(f"M{number}X".translate(str.maketrans("0123456789",
                                                     "ABCDEFGHIJ")), "/livez")
        client.get(f"/v2/{unique('word')}/{number}")
    with open(ROOT + "/fcgi/route.c", encoding="utf-8") as file:
        known = set(re.findall(r'\{ M_\w+, *"([^"]+)"', file.read()))
    metrics = scrape(stack)
    assert metrics.sum("http_requests_total", route="/db/shipments/{id}") > 19
    for name in ("http_requests_total", "http_request_duration_seconds_count"):
        for labels, _ in metrics.of(name):
            assert labels["route"] in known | {"unmatched"}
            assert labels["pool"] in POOLS
    assert {labels["method"] for labels, _ in metrics.of(
        "http_requests_total")} <= {"GET", "HEAD", "POST", "PUT", "PATCH",
                                    "DELETE", "OPTIONS", "other"}
    assert metrics.sum("http_requests_uncounted_total") == 0


def histograms(metrics, name):
    """Cumulative buckets in their order, count and sum, by the other labels."""
    found = {}
    for labels, value in metrics.of(name + "_bucket"):
        limit = float(labels.pop("le"))
        found.setdefault(frozenset(labels.items()), []).append((limit, value))
    return {labels: (sorted(buckets),
                     metrics.value(name + "_count", **dict(labels)),
                     metrics.value(name + "_sum", **dict(labels)))
            for labels, buckets in found.items()}


def test_histograms_agree_with_their_counts(stack, client, nobody):
    deliver(nobody, documents.event("batch.updated", documents.batch()))
    client.get("/v2/addresses/adr_1")
    metrics = scrape(stack)
    for name in ("http_request_duration_seconds",
                 "http_request_database_seconds",
                 "upstream_request_duration_seconds"):
        every = histograms(metrics, name)
        assert every
        for labels, (buckets, count, total) in every.items():
            assert [limit for limit, _ in buckets] == [
                0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1,
                2.5, 5, 10, 30, 60, math.inf]
            counts = [value for _, value in buckets]
            assert counts == sorted(counts) and counts[-1] == count, labels
            least = sum(limit * (value - previous) for limit, value, previous
                        in zip([0] + [limit for limit, _ in buckets], counts,
                               [0] + counts))
            assert least <= total + 1e-6, labels
    for labels, (_, count, _) in histograms(
            metrics, "http_request_duration_seconds").items():
        assert abs(count - metrics.sum("http_requests_total",
                                       **dict(labels))) <= 1


def test_a_slow_call_is_in_its_bucket(stack, client, sim):
    made = client.post("/v2/parcels", document={"parcel": {"weight": 1.0}})
    path = f"/v2/parcels/{made.json()['id']}"
    sim.fault(f"GET {path}", "late", seconds=0.3, times=1)
    before = scrape(stack)
    assert client.get(path).status_code == 200
    name = "upstream_request_duration_seconds"
    reaches(stack, lambda one: one.value(name + "_count"),
            before.value(name + "_count") + 1)
    after = scrape(stack)
    assert after.value(name + "_bucket", le="0.25") == \
        before.value(name + "_bucket", le="0.25")
    assert after.value(name + "_bucket", le="10") == \
        before.value(name + "_bucket", le="10") + 1
    assert after.value(name + "_sum") - before.value(name + "_sum") >= 0.3


def test_calls_to_easypost(stack, client, sim):
    kinds = [("2xx", 200), ("4xx", 422), ("5xx", 503)]
    before = scrape(stack)
    for _, status in kinds:
        one = "/v2/" + unique("status_")
        sim.canned("GET", one, documents.parcel(), status=status)
        assert client.get(one).status_code == status
    for kind, _ in kinds:
        reaches(stack, lambda metrics, kind=kind: metrics.value(
            "upstream_requests_total", result=kind),
            before.value("upstream_requests_total", result=kind) + 1)


def test_webhook_events(stack, nobody):
    """By type and result; what nobody documented is "other"."""
    before = scrape(stack)
    batch = documents.event("batch.updated", documents.batch())
    for event in (batch, batch, documents.event("wombat.born", {"id": "x"})):
        assert deliver(nobody, event).status_code == 200
    bad = deliver(nobody, documents.event("batch.created", documents.batch()),
                  secret="wrong")
    assert bad.status_code == 401
    assert deliver(nobody, {"description": "report.new"}).status_code == 400
    for kind, result in (("batch.updated", "applied"),
                         ("batch.updated", "duplicate"), ("other", "kept"),
                         ("other", "unauthorized"), ("report.new", "refused")):
        labels = {"type": kind, "result": result}
        reaches(stack, lambda one, labels=labels: one.value(
            "webhook_events_total", **labels),
            before.value("webhook_events_total", **labels) + 1)
    assert scrape(stack).sum("webhook_events_total",
                             type="batch.created",
                             result="unauthorized") == 0


def test_what_the_database_knows(stack, db):
    db("insert into jobs (kind, state, run_at) values "
       "('test', 'queued', now() - interval '90 seconds')")
    db("begin; select from jobs where kind = 'test' for update")  # hands off
    try:
        stack.waybill("refresh")
        metrics = scrape(stack)
        assert metrics.value("jobs", state="queued") >= 1
        assert 90 <= metrics.value("jobs_oldest_seconds") < 300
        assert metrics.value("sync_lag_seconds") >= 90
        assert metrics.value("sync_queue_depth") >= 1
        views = {labels["view"]: value for labels, value in metrics.of(
            "view_refreshed_timestamp_seconds")}
        assert set(views) == {"mv_daily_shipment_analytics",
                              "mv_carrier_performance", "mv_top_routes"}
        assert all(abs(value - time.time()) < 60 for value in views.values())
        assert metrics.value("webhook_failed") == db.one(
            "select count(*) from webhook_events where state = 'failed'")
        assert metrics.value("database_connections") >= 1
        assert metrics.value("database_connections_limit") == db.one(
            "select current_setting('max_connections')::integer - "
            "current_setting('superuser_reserved_connections')::integer")
        assert metrics.value("replicas") == 0
        assert not metrics.of("replication_lag_seconds")
        assert metrics.value("spool_limit_bytes") == 1073741824
        assert metrics.value("spool_limit_records") == 100000
    finally:
        db("commit")
        db("delete from jobs where kind = 'test'")


def test_when_backups_succeeded(stack):
    """Each kind, never is 0; and nothing where none were set up."""
    name = "backup_timestamp_seconds"
    full = os.path.join(stack.backup_dir, "full")
    with open(full, "w", encoding="ascii"):
        os.utime(full, (1795000000, 1795000000))
    try:
        metrics = scrape(stack)
        assert metrics.value(name, type="full") == 1795000000
        assert metrics.value(name, type="diff") == 0
        os.rename(stack.backup_dir, stack.backup_dir + "-away")
        assert scrape(stack).of(name) == []
    finally:
        os.rename(stack.backup_dir + "-away", stack.backup_dir)
        os.unlink(full)


def test_the_heartbeat_of_the_jobs(stack, db):
    """The newest row of the machine: from `waybill jobs`, once a minute."""
    db("insert into system_metrics (timestamp, host) values "
       "(now() + interval '1 hour', 'test')")
    try:
        assert abs(scrape(stack).value("jobs_heartbeat_timestamp_seconds")
                   - time.time() - 3600) < 60
    finally:
        db("delete from system_metrics where host = 'test'")


# --- what breaks ---------------------------------------------------------------------


@pytest.fixture(scope="module")
def own(tmp_path_factory):
    with Stack(tmp_path_factory.mktemp("metrics"), conf={
            "WORKERS": "6", "WORKERS_OVERFLOW": "0",
            "WORKER_REQUESTS": "20"}) as one:
        yield one


def served(metrics, **labels):
    return metrics.sum("http_requests_total", **labels)


def test_counters_outlive_workers_and_reloads(own):
    """Nothing is ever counted twice or forgotten."""
    client = Client(own, own.key)
    last = scrape(own)
    begin = last.value("http_requests_total", pool="read", route="/livez",
                       method="GET", code="200")
    first = set(workers(own, "read"))
    for number in range(1, 5):
        for _ in range(25):
            assert client.get("/livez").status_code == 200
        if number == 3:
            reload_pool(own, "read")
        now = scrape(own)
        for key, value in last.samples.items():
            if last.types.get(key[0]) == "counter" \
                    or key[0].endswith(("_bucket", "_sum", "_count")):
                assert now.samples.get(key, 0) >= value, key
        last = now
    assert first & set(workers(own, "read")) == set()
    reaches(own, lambda one: one.value(
        "http_requests_total", pool="read", route="/livez", method="GET",
        code="200"), begin + 100)


def test_deaths_are_counted(own):
    before = scrape(own).value("worker_deaths_total", pool="webhook")
    os.kill(children(supervisor_pid(own, "webhook"))[0], signal.SIGKILL)
    reaches(own, lambda one: one.value("worker_deaths_total", pool="webhook"),
            before + 1)


def test_a_pool_that_does_not_run(own):
    own.stop_pool("webhook")
    try:
        metrics = scrape(own)
        assert metrics.value("up", pool="webhook") == 0
        assert metrics.value("up", pool="read") == 1
        assert not [labels for labels, _ in metrics.of("pool_size")
                    if labels["pool"] == "webhook"]
    finally:
        own.start_pool("webhook")
    reaches(own, lambda one: one.value("up", pool="webhook"), 1)


@pytest.fixture
def lasting(own):
    """Workers that remember the key for as long as the test takes."""
    with changed_settings(own, ["read"], {"WORKER_REQUESTS": "100000"}):
        parallel(8, lambda _: scrape(own))
        yield own


def test_the_database_is_away(lasting):
    """What is not known is absent; what waits is told."""
    own = lasting
    event = documents.event("batch.updated", documents.batch())
    own.stop_pool("jobs")
    own.postgres.crash()
    try:
        assert deliver(Client(own), event).status_code == 200
        metrics = scrape(own)
        assert metrics.value("database_up") == 0
        assert metrics.value("up", pool="read") == 1
        for name in ("jobs", "webhook_failed", "jobs_oldest_seconds",
                     "view_refreshed_timestamp_seconds"):
            assert "waybill_" + name not in metrics.types
        assert metrics.value("spool_records") == 1
        assert metrics.value("spool_bytes") > len(event["id"])
        assert metrics.value("sync_queue_depth") == 1
        reaches(own, lambda one: one.value("sync_lag_seconds") > 0.5
                and one.value("spool_oldest_seconds") > 0.5, True)
        reaches(own, lambda one: one.value(
            "webhook_events_total", type="batch.updated", result="spooled"),
            1)
    finally:
        own.postgres.start()
        own.service.start("jobs")
    reaches(own, lambda one: (one.value("database_up"),
                              one.value("spool_records"),
                              one.value("sync_lag_seconds")), (1, 0, 0))


def test_dropped_activities_are_counted(own):
    own.stop_pool("jobs")
    path = os.path.join(own.run_dir, "upstream.activity")
    with open(path, "ab"):
        os.truncate(path, 16 * 1024 * 1024)
    client = Client(own, own.key)

    def is_dropping():
        client.get("/v2/addresses/adr_1")
        return scrape(own).value("activities_dropped_total",
                                 pool="upstream") > 0

    wait_until(is_dropping, 10, "a dropped line")
    own.service.start("jobs")


def test_many_at_once_lose_no_count(own):
    """Additions of several processes."""
    before = served(scrape(own), pool="read", route="/readyz")
    for _ in range(5):
        answers = parallel(20, lambda _: Client(own).get("/readyz"))
        assert {answer.status_code for answer in answers} == {200}
    reaches(own, lambda one: served(one, pool="read", route="/readyz"),
            before + 100)
    db = Database(own.database_url)
    assert db.one("select count(*) from user_activities "
                  "where endpoint = '/readyz'") == 0
    db.close()
