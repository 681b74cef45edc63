#!/usr/bin/python3
"""make bench: how close each path comes to what its parts can do here.

One run measures, interleaved and in rounds: hello (nginx -> worker -> a
constant), each path through nginx, and pgbench with the same function of the
database over the same socket.  H = 1 / (1/hello + 1/pgbench) is what the two
allow together at best; a path is judged by path / H.  Absolute figures drift
with the machine and the hour: only ratios of one run count.  The proxy is
judged by what it adds to a direct call of the simulator.

Prints a table and writes build/bench.json.
"""
import argparse
import hashlib
import hmac
import json
import os
import pathlib
import re
import ssl
import statistics
import subprocess
import sys
import tempfile
import time
import urllib.request

HERE = pathlib.Path(__file__).resolve().parent
sys.path.insert(0, str(HERE.parent))
from env.stack import Stack  # noqa: E402

CLIENTS = 8
SECRET = "bench-secret"
LATENCY = re.compile(r"^\s+(50|99)%\s+([\d.]+)(us|ms|s)$", re.M)
RATE = re.compile(r"^Requests/sec:\s+([\d.]+)", re.M)
BAD = re.compile(r"(Non-2xx|Socket errors).*")
UNIT = {"us": 0.001, "ms": 1.0, "s": 1000.0}


def run_wrk(url, script, arguments, seconds, clients=CLIENTS):
    command = ["wrk", "-t1", f"-c{clients}", f"-d{seconds}s", "--latency"]
    if script:
        command += ["-s", str(HERE / script)]
    done = subprocess.run(command + [url, "--", *arguments], text=True,
                          capture_output=True, check=True)
    text = done.stdout + done.stderr
    if BAD.search(text):
        raise SystemExit(f"{url}: {BAD.search(text)[0]}\n{text}")
    times = {p: float(v) * UNIT[u] for p, v, u in LATENCY.findall(text)}
    return {"per_s": float(RATE.search(text)[1]), "p50_ms": times["50"],
            "p99_ms": times["99"]}


def run_pgbench(stack, scripts, seconds, clients=CLIENTS):
    with tempfile.TemporaryDirectory() as folder:
        command = ["pgbench", "-n", "-M", "prepared", f"-c{clients}", "-j1",
                   f"-T{seconds}"]
        for number, text in enumerate(scripts):
            path = pathlib.Path(folder, f"{number}.sql")
            path.write_text(text)
            command += ["-f", str(path)]
        done = subprocess.run(command + ["-d", stack.database_url], text=True,
                              capture_output=True, check=False)
    if done.returncode != 0:
        raise SystemExit(f"pgbench: {done.stderr}")
    return float(re.search(r"tps = ([\d.]+)", done.stdout)[1])


def children(pid):
    return pathlib.Path(f"/proc/{pid}/task/{pid}/children").read_text().split()


class Bench:
    def __init__(self, stack, rows, seconds):
        self.stack = stack
        self.rows = rows
        self.seconds = seconds
        self.folder = pathlib.Path(tempfile.mkdtemp(prefix="waybill-bench-"))
        self.event_number = 0

    def call(self, method, path, body=None, base=None, key=None):
        request = urllib.request.Request(
            (base or self.stack.url) + path, method=method,
            data=json.dumps(body).encode() if body is not None else None,
            headers={"Authorization": f"Bearer {key or self.stack.key}",
                     "Content-Type": "application/json"})
        tls = ssl.create_default_context(cafile=self.stack.ca)
        with urllib.request.urlopen(request, context=tls) as got:
            return got.read()

    def seed(self):
        """Shipments through the recording function, from one real answer."""
        address = {"name": "Ann Bench", "street1": "1 Main St", "city": "Reno",
                   "state": "NV", "zip": "89501", "country": "US",
                   "phone": "5555555555"}
        made = json.loads(self.call("POST", "/v2/shipments", {"shipment": {
            "from_address": address, "to_address": dict(address, name="Bo"),
            "parcel": {"weight": 12.0, "length": 9.0, "width": 6.0,
                       "height": 2.0}}}))
        rate = min(made["rates"], key=lambda one: float(one["rate"]))
        text = self.call("POST", f"/v2/shipments/{made['id']}/buy",
                         {"rate": {"id": rate["id"]}}).decode()
        bought = json.loads(text)
        for whole in set(re.findall(r'"[a-z]+_([0-9a-f]{32})"', text)):
            text = text.replace(whole, "@@@@@@@@" + whole[8:])
        text = text.replace(bought["tracking_code"],
                            bought["tracking_code"][:-8] + "@@@@@@@@")
        self.tail = made["id"][4 + 8:]
        self.tracker = json.loads(text)["tracker"]
        step = 2000
        for first in range(1, self.rows + 1, step):
            last = min(first + step - 1, self.rows)
            self.stack.psql(
                "select count(api.record_answer('POST', '/v2/shipments', '',"
                " 201, convert_to(replace($doc$" + text + "$doc$, '@@@@@@@@',"
                " lpad(to_hex(i), 8, '0')), 'UTF8'), 'test', 'bench'))"
                f" from generate_series({first}, {last}) i")
        self.stack.psql("analyze")
        self.ids = [row[0] for row in self.stack.psql(
            "select id from waybill.shipments order by random() limit 500")]

    def paths(self, name, lines):
        path = self.folder / name
        path.write_text("\n".join(lines) + "\n")
        return str(path)

    @staticmethod
    def event(number, tracker):
        return ('{"description":"tracker.updated","mode":"test",'
                '"previous_attributes":{"status":"unknown"},'
                '"created_at":"2026-01-01T00:00:00.000Z","pending_urls":[],'
                '"completed_urls":[],"updated_at":"2026-01-01T00:00:00.000Z",'
                f'"id":"evt_{number}","user_id":"user_1","status":"pending",'
                f'"object":"Event","result":{tracker}}}')

    def events(self, count):
        """New tracker.updated events, signed, one a line."""
        lines = []
        template = json.dumps(self.tracker, separators=(",", ":"))
        for _ in range(count):
            self.event_number += 1
            number = self.event_number
            body = self.event(f"{number:032x}", template.replace(
                "@@@@@@@@", f"{number % self.rows + 1:08x}"))
            digest = hmac.new(SECRET.encode(), body.encode(),
                              hashlib.sha256).hexdigest()
            lines.append(f"hmac-sha256-hex={digest}\t{body}")
        return self.paths("events", lines)

    def measure_hello(self):
        return run_wrk(self.stack.url + "/livez", None, [], self.seconds)

    def measure_by_id(self):
        file = self.paths("ids", [f"/db/shipments/{one}" for one in self.ids])
        return run_wrk(self.stack.url, "wrk_reads.lua", [file, self.stack.key],
                       self.seconds)

    def limit_by_id(self):
        return run_pgbench(self.stack, [
            f"select * from api.shipment('{one}');" for one in self.ids[:60]],
            self.seconds)

    def measure_list(self):
        file = self.paths("lists", ["/db/shipments?limit=50&status=unknown"])
        return run_wrk(self.stack.url, "wrk_reads.lua", [file, self.stack.key],
                       self.seconds)

    def measure_webhook(self):
        count = int(9000 * self.seconds)
        return run_wrk(self.stack.url, "wrk_webhooks.lua",
                       [self.events(count)], self.seconds)

    def limit_webhook(self):
        # In a table, because pgbench takes ":00" in a time for a variable.
        event = self.event("@EVENT@", json.dumps(self.tracker,
                                                 separators=(",", ":")))
        self.stack.psql(
            "create table if not exists public.bench_event as"
            f" select $doc${event}$doc$::text as body")
        return run_pgbench(self.stack, [
            f"\\set i random(1, {self.rows})\n"
            "\\set e random(1, 1000000000000000)\n"
            "select w.* from public.bench_event b, api.receive_webhook("
            "convert_to(replace(replace(b.body, '@@@@@@@@',"
            " lpad(to_hex(:i::bigint), 8, '0')), '@EVENT@',"
            " to_hex(:e::bigint)), 'UTF8'), 'bench') w;\n"], self.seconds)

    def proxy(self):
        """One client, kept connections: direct and through the gateway."""
        address = json.loads(self.call("POST", "/v2/addresses", {"address": {
            "street1": "1 Main St", "city": "Reno", "state": "NV",
            "zip": "89501", "country": "US"}}))
        file = self.paths("proxy", [f"/v2/addresses/{address['id']}"])
        direct, through = [], []
        for _ in range(3):
            direct.append(run_wrk(
                self.stack.sim.base, "wrk_reads.lua",
                [file, self.stack.settings["EASYPOST_TEST_API_KEY"]], self.seconds, 1))
            through.append(run_wrk(self.stack.url, "wrk_reads.lua",
                                   [file, self.stack.key], self.seconds, 1))
        middle = statistics.median
        return {
            "p50_ms": middle(one["p50_ms"] for one in through),
            "p99_ms": middle(one["p99_ms"] for one in through),
            "per_s": middle(one["per_s"] for one in through),
            "adds_p50_ms": round(middle(one["p50_ms"] for one in through)
                                 - middle(one["p50_ms"] for one in direct), 3),
            "adds_p99_ms": round(middle(one["p99_ms"] for one in through)
                                 - middle(one["p99_ms"] for one in direct), 3),
        }

    def memory(self):
        """PSS in kB of the biggest worker of each pool, now under wear."""
        found = {}
        for pool in ("read", "webhook", "upstream"):
            boss = self.stack.pids[pool]
            sizes = []
            for pid in children(boss):
                text = pathlib.Path(f"/proc/{pid}/smaps_rollup").read_text()
                sizes.append(int(re.search(r"^Pss:\s+(\d+)", text, re.M)[1]))
            found[pool] = max(sizes)
        return found


def main():
    parse = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parse.add_argument("--rows", type=int, default=20000)
    parse.add_argument("--seconds", type=int, default=4)
    parse.add_argument("--rounds", type=int, default=3)
    parse.add_argument("--build", default="build")
    options = parse.parse_args()
    with tempfile.TemporaryDirectory(prefix="waybill-bench-") as folder:
        stack = Stack(folder, build=options.build, fsync=True, settings={
            "LOG_LEVEL": "info", "EASYPOST_WEBHOOK_SECRET": SECRET})
        with stack:
            bench = Bench(stack, options.rows, options.seconds)
            started = time.monotonic()
            bench.seed()
            print(f"{options.rows} shipments recorded in"
                  f" {time.monotonic() - started:.1f} s", flush=True)
            rounds = []
            for number in range(options.rounds + 1):
                one = {"hello": bench.measure_hello(),
                       "by_id": bench.measure_by_id(),
                       "webhook": bench.measure_webhook(),
                       "list": bench.measure_list(),
                       "pg_by_id": bench.limit_by_id(),
                       "pg_webhook": bench.limit_webhook()}
                if number:  # the first warms up
                    rounds.append(one)
            middle = statistics.median
            hello = middle(one["hello"]["per_s"] for one in rounds)
            result = {}
            for name in ("by_id", "webhook", "list"):
                result[name] = {
                    key: round(middle(one[name][key] for one in rounds), 2)
                    for key in ("per_s", "p50_ms", "p99_ms")}
                if "pg_" + name in rounds[0]:
                    limit = middle(one["pg_" + name] for one in rounds)
                    best = 1 / (1 / hello + 1 / limit)
                    result[name]["pgbench_per_s"] = round(limit, 1)
                    result[name]["of_h"] = round(
                        result[name]["per_s"] / best, 3)
            result["hello"] = {"per_s": round(hello, 1)}
            result["proxy"] = bench.proxy()
            result["pss_kb"] = bench.memory()
    os.makedirs(options.build, exist_ok=True)
    path = pathlib.Path(options.build, "bench.json")
    path.write_text(json.dumps(result, indent=1) + "\n")
    for name, figures in result.items():
        print(f"{name:10}", "  ".join(f"{k}={v}" for k, v in figures.items()))
    print(f"written to {path}")


if __name__ == "__main__":
    main()
