#!/usr/bin/python3
"""make bench: how close each path comes to what its parts can do here.

One run measures, interleaved and in rounds after a warm-up: hello (nginx, a
worker, a constant), each path through nginx, and pgbench with the statements
that the service sends.  What the columns mean is said in report.py.

A path that this build does not have is left out with a line that says so.
"""

import argparse
import contextlib
import pathlib
import re
import statistics
import subprocess
import sys
import tempfile
import time

HERE = pathlib.Path(__file__).resolve().parent
sys.path[:0] = [str(HERE.parent), str(HERE)]
import limits  # noqa: E402
import wrk  # noqa: E402
import report  # noqa: E402
import seed  # noqa: E402
from env.service import POOLS  # noqa: E402
from env.stack import Stack  # noqa: E402
from env.wait import wait_until  # noqa: E402
from events import ONE_GROUP, Events  # noqa: E402
from paths import EVEN, RETURN, SECRET, Paths  # noqa: E402

READS = ("by_id", "by_tracking", "by_easypost_id", "list", "dashboard")
KEPT = ("cached", "not_modified")
MEASURED = READS + KEPT + ("webhook", "bulk")  # in rounds
PATHS = MEASURED + ("proxy", "parallel", "export", "analytics", "outage",
                    "workers", "growth")
POSTGRES = {"shared_buffers": "2GB", "effective_cache_size": "8GB",
            "max_wal_size": "8GB", "checkpoint_timeout": "15min",
            "synchronous_commit": "on"}
OUTAGE_RATE = 200  # webhooks a second while PostgreSQL hangs
WEBHOOKS_MAX = 3000  # new events a second that are ready
WRITERS = 16  # who write at once, where the loss of writes is measured
WORKERS = 10
SWEEP = (4, 10, 50)
PARALLEL, PARALLEL_SECONDS = 32, 0.4
ROUTES = {"bulk": ("POST", "/db/shipments"),
          "parallel": ("POST", "/bulk-shipments")}


class Bench:
    def __init__(self, stack, options, folder):
        self.stack = stack
        self.options = options
        self.paths = Paths(stack, folder)
        self.pgbench_url = stack.service_url
        self.scripts = {}
        # Of new connections a part of each run goes by: workers' are not new.
        self.long_seconds = 3 * options.seconds
        rounds = options.rounds + 1
        self.events = Events("by_pgbench", limits.CLIENTS, rounds,
                             options.seconds, f"not {EVEN}")
        # Later ones: the others have been sent.
        self.noted = [
            Events("events", WRITERS, 2 * rounds, self.long_seconds, days=1),
            Events("events_of_one_group", WRITERS, 2 * rounds, self.long_seconds,
                   ONE_GROUP, days=2)]

    def prepare(self):
        """What is there to measure, and its statements."""
        add_return(self.stack)
        limits.make_tables(self.stack, self.options.rows)
        for name, route in ROUTES.items():
            if name in self.options.only and not self.paths.exists(*route):
                print(f"{name}: left out, no {' '.join(route)} here")
                self.options.only = [one for one in self.options.only
                                     if one != name]
        wanted = [name for name in MEASURED if name in self.options.only]
        for name in wanted:
            if name in READS:
                self.scripts[name] = self.paths.scripts(name)
        if {"webhook", "outage"} & set(self.options.only):
            self.paths.events.make(self.stack.psql)
            self.events.make(self.stack.psql)
        if "bulk" in wanted:
            self.scripts["bulk"] = (self.paths.bulk_script(), {})
        self.stack.psql("vacuum analyze")
        self.paths.warm()
        return wanted

    def http(self, name, rate=0):
        seconds = self.options.seconds
        if name == "webhook":
            file = self.paths.webhooks(int((rate or WEBHOOKS_MAX) * seconds))
        elif name == "bulk":
            file = self.paths.bulk()
        else:
            file = self.paths.file(name)
        return wrk.run(self.stack.url, file, self.paths.key, seconds, rate=rate,
                       fresh=name == "dashboard" or name not in KEPT
                       and self.paths.come_again())

    def pgbench(self, scripts, variables=None, url=None):
        return limits.pgbench(url or self.pgbench_url, scripts,
                              self.options.seconds, variables)

    def one_round(self, wanted):
        admin = self.stack.database_url
        found = {"hello": self.http("hello"),
                 "return_200": self.http("return_200"),
                 "lookup": self.pgbench(limits.lookup(self.options.rows),
                                        url=admin),
                 "insert": self.pgbench(limits.INSERT, url=admin)}
        for name in wanted:
            found[name] = self.http(name)
            if name == "webhook":
                found["pg_webhook"] = self.pgbench_events(self.events)
            elif name in self.scripts:
                found["pg_" + name] = self.pgbench(
                    *self.scripts[name], url=admin if name == "bulk" else None)
        return found

    def pgbench_events(self, events):
        """Of each client's part each run has a share; one that is used up
        would go on with events that are no longer new."""
        rate = limits.pgbench(self.pgbench_url, [events.next_run()],
                              events.seconds, {"i": 0}, clients=events.clients)
        # Some are left for a client that was faster than the others.
        if rate * events.seconds / events.clients > 0.8 * events.share:
            raise SystemExit(f"{events.name}: {events.share} are too few for a"
                             " client of pgbench")
        return rate

    def rounds(self, wanted):
        self.one_round(wanted)  # warms up
        rounds = [self.one_round(wanted) for _ in range(self.options.rounds)]
        return {name: ([one[name] for one in rounds]) for name in rounds[0]}

    def figures(self, wanted):
        raw = self.rounds(wanted)
        base = {name: statistics.median(raw[name])
                for name in ("lookup", "insert")}
        result = {name: wrk.middle(raw[name])
                  for name in ("hello", "return_200", *wanted)}
        for name in wanted:
            one = result[name]
            if name in KEPT:
                one["of_lookup"] = round(
                    one["per_s"] / result["return_200"]["per_s"], 3)
            else:
                limit = statistics.median(raw["pg_" + name])
                best = 1 / (1 / result["hello"]["per_s"] + 1 / limit)
                one["pgbench_per_s"] = round(limit, 1)
                one["of_h"] = round(one["per_s"] / best, 3)
                if name == "bulk":
                    one["times_copy"] = limits.times_copy(
                        self.stack.database_url, *self.scripts["bulk"][0])
                else:
                    one["of_lookup"] = round(limit / base[
                        "insert" if name == "webhook" else "lookup"], 3)
            half = self.http(name, rate=one["per_s"] / 2)
            one["half_p50_ms"] = round(half["p50_ms"], 3)
            one["half_p99_ms"] = round(half["p99_ms"], 3)
        result["postgres"] = {"lookup_per_s": round(base["lookup"], 1),
                              "insert_per_s": round(base["insert"], 1)}
        return result

    def proxy(self):
        """One client, kept connections: direct and through the gateway."""
        address = self.stack.request(
            "POST", "/v2/addresses", key=self.paths.key, body={"address": {
                "street1": "1 Main St", "city": "Reno", "state": "NV",
                "zip": "89501", "country": "US"}}).json()
        file = self.paths.write("proxy", [
            f"GET\t/v2/addresses/{address['id']}\t\t"])
        direct, through = [], []
        for _ in range(self.options.rounds):
            direct.append(wrk.run(
                self.stack.sim.base, file,
                self.stack.settings["EASYPOST_API_KEY"],
                self.options.seconds, clients=1))
            through.append(wrk.run(self.stack.url, file, self.paths.key,
                                    self.options.seconds, clients=1))
        alone, one = wrk.middle(direct), wrk.middle(through)
        for figure in ("p50_ms", "p99_ms"):
            one["adds_" + figure] = round(one[figure] - alone[figure], 3)
        return one

    def export(self):
        """All shipments as a stream, and what others feel meanwhile."""
        config = self.paths.folder / "curl"
        config.write_text(f'header = "Authorization: Bearer {self.paths.key}"\n'
                          f'cacert = "{self.stack.ca}"\nsilent\nfail\n'
                          'write-out = "%{stderr}%{time_total}"\n'
                          f'url = "{self.stack.url}/db/shipments'
                          '?format=ndjson"\n')
        with subprocess.Popen(
                f"curl -K {config} | wc -l", shell=True, text=True,
                stdout=subprocess.PIPE, stderr=subprocess.PIPE) as stream:
            meanwhile = self.http("by_id")
            size = self.memory()["read"]
            lines, seconds = stream.communicate()
        return {"rows": int(lines),
                "rows_per_s": round(int(lines) / float(seconds), 1),
                "read_pss_kb": size, "others_p50_ms": meanwhile["p50_ms"],
                "others_p99_ms": meanwhile["p99_ms"],
                "others_per_s": meanwhile["per_s"]}

    def analytics(self):
        """What figures cost who writes, who merges, who compares, who reads."""
        psql = self.stack.psql
        asked = self.paths.scripts("dashboard")
        self.stack.stop_pool("jobs")
        found = {}
        try:
            psql(limits.TARGETS)
            psql("select waybill.merge_figures()")
            psql("select waybill.make_dashboards()")
            found["ready_per_s"] = round(self.pgbench(*asked))
            self.change()
            found["unmerged_per_s"] = round(self.pgbench(*asked))
            found["merge_10000_ms"] = self.middle(
                "waybill.merge_figures()", self.change)
            found["refresh_10000_ms"] = self.middle(
                "(select count(*) from waybill.refresh_analytics_views())",
                self.change)
            found["compare_90_days_ms"] = self.middle(
                "(select count(*) from waybill.refresh_analytics_views("
                "current_date - 90))")
        finally:
            self.stack.start_pool("jobs")
        for events in [] if self.options.bare else self.noted:
            events.make(psql)
            found[f"{events.name}_lose"] = self.loss(
                lambda events=events: self.pgbench_events(events))
        for table in ("many", "one_group"):
            found[f"updates_of_{table}_lose"] = self.loss(
                lambda script=self.updates(table): self.pgbench_updates(script))
        return found

    def updates(self, table):
        ((rows,),) = self.stack.psql(f"select count(*) from bench.{table}")
        return limits.update_of(table, rows)

    def change(self):
        """Some of the newest 10,000 shipments arrive, or do so no more: as many
        changes, each with its commit."""
        limits.pgbench(self.stack.database_url, self.updates("many"), None,
                       clients=WRITERS, each=10_000 // WRITERS)

    def middle(self, call, before=lambda: None):
        """Milliseconds of a call, what it reads being in memory; the median."""
        took = []
        for _ in range(self.options.rounds + 1):
            before()
            took.append(self.took(call))
        return statistics.median(took[1:])

    def took(self, call):
        """Milliseconds of one call, by the server's clock."""
        ((took,),) = self.stack.psql(
            "with a as materialized (select clock_timestamp() as at), "
            f"b as materialized (select {call}, (select a.at from a) as since) "
            "select extract(epoch from clock_timestamp() - a.at) * 1000 "
            "from a, b")
        return round(float(took), 1)

    def pgbench_updates(self, script):
        return limits.pgbench(self.stack.database_url, script, self.long_seconds,
                              clients=WRITERS)

    def loss(self, rate):
        """The share of writes a second that analytics cost: notes, and what the jobs
        make of them each second, which is nothing without notes.  The median of what
        each round lost, for the machine's own rate drifts; which is first changes with
        each: what one leaves behind the other one has to clear."""
        lost = []
        for number in range(self.options.rounds + 1):
            found = {}
            for how in sorted(("enable", "disable"), reverse=number % 2 == 1):
                self.stack.psql("alter table waybill.shipments "
                                f"{how} trigger shipments_changed_figures")
                found[how] = rate()
                wait_until(lambda: self.stack.psql(
                    "select count(*) from waybill.shipment_deltas")
                    == [(0,)], 60)
            lost.append(1 - found["enable"] / found["disable"])
        self.stack.psql("alter table waybill.shipments "
                        "enable trigger shipments_changed_figures")
        return round(statistics.median(lost[1:]), 3)

    def outage(self):
        """Webhooks by a schedule: calm, and while PostgreSQL stands still."""
        # Made before: they come out of the database that will stand still.
        parts = [path.rename(path.with_name(f"outage{n}"))
                 for n, path in enumerate(self.paths.webhooks(
                     OUTAGE_RATE * self.options.seconds) for _ in range(3))]

        def send(part):
            return wrk.run(self.stack.url, part, self.paths.key,
                           self.options.seconds, rate=OUTAGE_RATE)

        calm = send(parts[0])
        self.stack.postgres.freeze()
        try:
            first, later = send(parts[1]), send(parts[2])
        finally:
            self.stack.postgres.thaw()
        started = time.monotonic()
        new = pathlib.Path(self.stack.spool_dir, "new")
        waiting = len(list(new.iterdir()))
        wait_until(lambda: not list(new.iterdir()), 120)
        return {"rate": OUTAGE_RATE, "calm_p50_ms": calm["p50_ms"],
                "calm_p99_ms": calm["p99_ms"],
                "first_p99_ms": first["p99_ms"],
                "then_p50_ms": later["p50_ms"],
                "then_p99_ms": later["p99_ms"],
                "drained": waiting,
                "drained_seconds": round(time.monotonic() - started, 1)}

    def parallel(self):
        """A bulk call whose items take EasyPost so long: seconds, median."""
        place = {"street1": "1 Main St", "city": "Reno", "state": "NV",
                 "zip": "89501", "country": "US", "name": "A"}
        one = {"from_address": place, "to_address": place,
               "parcel": {"weight": 3}}
        self.stack.sim.fault("POST /v2/shipments", "late", times=0,
                             seconds=PARALLEL_SECONDS)
        took = []
        for _ in range(self.options.rounds + 1):
            started = time.monotonic()
            answer = self.stack.request(
                "POST", "/bulk-shipments", key=self.paths.key,
                body={"shipments": [one] * PARALLEL})
            took.append(time.monotonic() - started)
            if answer.json()["data"]["successful"] != PARALLEL:
                raise SystemExit(f"parallel: {answer}")
        self.stack.sim.ask("DELETE", "/fault")
        return {"calls": PARALLEL, "call_seconds": PARALLEL_SECONDS,
                "seconds": round(statistics.median(took[1:]), 3)}

    def workers(self):
        """Requests a second with few and with many workers."""
        found = {}
        for workers in SWEEP:
            self.set_workers(workers)
            self.http("by_id")
            found[f"by_id_per_s_with_{workers}"] = wrk.middle(
                [self.http("by_id") for _ in range(self.options.rounds)]
            )["per_s"]
        self.set_workers(WORKERS)
        return found

    def set_workers(self, count):
        path = pathlib.Path(self.stack.conf_file)
        path.write_text(re.sub("^WORKERS=.*$", f"WORKERS={count}",
                               path.read_text(), flags=re.M))
        self.stack.restart("read")

    def growth(self):
        """PSS in kB of the biggest worker as requests pass."""
        found = {}
        for part in (self.options.requests // 10, self.options.requests):
            rate = self.http("by_id")["per_s"]
            wrk.run(self.stack.url, self.paths.file("by_id"), self.paths.key,
                    max(1, int(part / rate)), fresh=self.paths.come_again())
            found[f"read_pss_kb_after_{part}"] = self.memory()["read"]
        return found

    def memory(self):
        """PSS in kB of the biggest worker of each pool."""
        return {pool: max(map(pss_kb, children(self.stack.pids[pool])))
                for pool in POOLS}


def children(pid):
    return pathlib.Path(f"/proc/{pid}/task/{pid}/children").read_text().split()


def pss_kb(pid):
    text = pathlib.Path(f"/proc/{pid}/smaps_rollup").read_text()
    return int(re.search(r"^Pss:\s+(\d+)", text, re.M)[1])


def add_return(stack):
    """A location that nginx answers by itself, for this run only."""
    path = pathlib.Path(stack.nginx.directory, "waybill-server.conf")
    path.write_text(path.read_text().replace(
        "location / {\n",
        f"location = {RETURN} {{\n    return 200 'ok';\n}}\n"
        "location / {\n", 1))
    stack.nginx.reload()
    wait_until(lambda: stack.request("GET", RETURN).status == 200, 10)


def options_of(words):
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--rows", type=int, default=1_000_000)
    parser.add_argument("--lean", action="store_true",
                        help="smaller shipments: 10 million take 62 GB")
    parser.add_argument("--bare", action="store_true",
                        help="nothing beside them: only for dashboard, analytics")
    parser.add_argument("--seconds", type=int, default=4)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--only", nargs="+", choices=PATHS, default=PATHS,
                        metavar="NAME", help=" ".join(PATHS))
    parser.add_argument("--requests", type=int, default=100_000, metavar="N",
                        help="of the measure of growth")
    parser.add_argument("--keep", metavar="DIR",
                        help="where the cluster stays for another run")
    parser.add_argument("--page", action="store_true",
                        help="write docs/bench.md, or docs/bench-lean.md")
    parser.add_argument("--build", default="build")
    return parser.parse_args(words)


@contextlib.contextmanager
def seeded(options):
    """The stack with its shipments; with --keep they are still there."""
    with contextlib.ExitStack() as rest:
        folder = options.keep or rest.enter_context(
            tempfile.TemporaryDirectory(prefix="waybill-bench-"))
        # As /run is, where nginx keeps its cache.
        memory = rest.enter_context(
            tempfile.TemporaryDirectory(prefix="waybill-", dir="/dev/shm"))
        stack = Stack(folder, build=options.build, fsync=True, run_dir=memory,
                      postgres_settings=POSTGRES, conf={
                          "LOG_LEVEL": "info", "WORKERS": str(WORKERS),
                          "EASYPOST_WEBHOOK_SECRET": SECRET})
        stack.start()
        rest.callback(stack.stop if options.keep else stack.__exit__,
                      *([] if options.keep else [None] * 3))
        [(known,)] = stack.psql("select count(*) from waybill.shipments")
        if known < options.rows:
            if known:
                raise SystemExit(f"{folder} holds {known} shipments: give"
                                 " another directory")
            seed.seed(stack.database_url, options.rows, lean=options.lean,
                      bare=options.bare, say=print)
        yield stack


def main():
    options = options_of(sys.argv[1:])
    with seeded(options) as stack, tempfile.TemporaryDirectory() as folder:
        bench = Bench(stack, options, folder)
        wanted = bench.prepare()
        before = bench.memory()
        figures = bench.figures(wanted)
        for name in ("proxy", "parallel", "export", "growth", "outage",
                     "analytics"):
            if name in options.only:
                figures[name] = getattr(bench, name)()
        figures["pss_kb_before"] = before
        figures["pss_kb_after"] = bench.memory()
        if "workers" in options.only:  # last: it starts the workers anew
            figures["workers"] = bench.workers()
        [(version,)] = stack.psql("show server_version")
    report.show(figures)
    report.write_json(figures, options.build)
    if options.page:
        report.write_page(figures, POSTGRES, version, options.rows,
                          " ".join(sys.argv[3:]), is_lean=options.lean)


if __name__ == "__main__":
    main()
