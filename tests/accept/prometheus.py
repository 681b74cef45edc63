#!/usr/bin/python3
"""Prometheus judges what monitoring/ has for it: the configuration, and all queries
of rules and dashboard, asked of a Prometheus that scrapes a stack, its machine and
its certificate.  When alerts fire is a part of `make check`.

    tests/accept/prometheus.py      by itself; else a part of `make accept`

The programs are those of this machine, or come out of Debian's packages, of which
none is installed.  Needs apt and the network.
"""

import glob
import json
import os
import shutil
import subprocess
import sys
import tempfile
import urllib.parse
import urllib.request

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path[:0] = [path for path in [os.path.dirname(HERE)]
                if path not in sys.path]

import documents  # noqa: E402: the path comes first
import monitored  # noqa: E402
import yaml  # noqa: E402
from env.nginx import free_port  # noqa: E402
from env.process import Process  # noqa: E402
from env.stack import Stack  # noqa: E402
from env.wait import wait_until  # noqa: E402
from helpers import Client, deliver  # noqa: E402

PACKAGES = ("prometheus", "prometheus-node-exporter",
            "prometheus-blackbox-exporter")

# What a stack that is well does not have: errors, alerts, a replica.
EMPTY = {"Errors", "Alerts that fire", "Lag of the last replica"}


def fetch(directory):
    """A function from a program's name to its path."""
    names = (*PACKAGES, "promtool")
    if all(shutil.which(name) for name in names):
        return shutil.which
    subprocess.run(["apt-get", "download", "-q", *PACKAGES], check=True,
                   cwd=directory, stdout=subprocess.DEVNULL)
    for package in glob.glob(os.path.join(directory, "*.deb")):
        subprocess.run(["dpkg-deb", "--extract", package, directory],
                       check=True)
        os.unlink(package)
    return lambda name: os.path.join(directory, "usr", "bin", name)


def run(*words):
    """Silent when it is well; else what it said, and the end."""
    done = subprocess.run(words, check=False, capture_output=True, text=True)
    assert done.returncode == 0, done.stdout + done.stderr


def configure(directory, stack, ports):
    """The installed configuration, with the addresses of here."""
    key = os.path.join(directory, "key")
    with open(key, "w", encoding="ascii") as file:
        file.write(stack.key)
    with open(os.path.join(monitored.FOLDER, "prometheus.yml"),
              encoding="utf-8") as file:
        text = file.read()
    host = urllib.parse.urlsplit(stack.url)
    for old, new in (("127.0.0.1:443", host.netloc),
                     ("server_name: ship.example.com",
                      f"server_name: {host.hostname}\n      "
                      f"ca_file: {stack.ca}"),
                     ("https://ship.example.com", stack.url),
                     ("127.0.0.1:9115", f"127.0.0.1:{ports['blackbox']}"),
                     ("127.0.0.1:9100", f"127.0.0.1:{ports['node']}"),
                     ("/etc/prometheus/waybill.key", key),
                     ("/etc/prometheus/waybill.rules.yml", monitored.RULES),
                     ("interval: 15s", "interval: 1s")):
        assert old in text, old
        text = text.replace(old, new)
    path = os.path.join(directory, "prometheus.yml")
    with open(path, "w", encoding="utf-8") as file:
        file.write(text)
    with open(os.path.join(directory, "blackbox.yml"), "w",
              encoding="utf-8") as file:
        yaml.safe_dump({"modules": {"http_2xx": {
            "prober": "http",
            "http": {"tls_config": {"ca_file": stack.ca}}}}}, file)
    return path


def ask(port, path, **parameters):
    """What Prometheus' own interface answers; it refuses no query of ours."""
    url = (f"http://127.0.0.1:{port}/api/v1/{path}?"
           + urllib.parse.urlencode(parameters))
    with urllib.request.urlopen(url, timeout=30) as got:
        answer = json.load(got)
    assert answer["status"] == "success", answer
    return answer["data"]


def is_scraped(port):
    """Whether all three answered for long enough to have a rate."""
    try:
        found = ask(port, "query",
                    query="count_over_time(up[1m]) > 4 and up == 1")
    except OSError:
        return False  # it is starting
    return len(found["result"]) == 3


def check_queries(port):
    """All are understood, and find what a stack that is well has."""
    groups = ask(port, "rules")["groups"]
    bad = [(rule["name"], rule["lastError"]) for group in groups
           for rule in group["rules"] if rule["health"] != "ok"]
    assert not bad, bad
    fire = [rule["name"] for group in groups for rule in group["rules"]
            if rule.get("state") == "firing"]
    assert not fire, f"fires though all is well: {fire}"
    for panel in monitored.panels():
        for target in panel.get("targets", []):
            query = target["expr"]
            for old, new in (("$instance", ".*"), ("$__range", "5m"),
                             ("$__rate_interval", "1m")):
                query = query.replace(old, new)
            found = ask(port, "query", query=query)["result"]
            assert found or panel["title"] in EMPTY, (panel["title"], query)
    print("ok  Prometheus, all rules and queries of the dashboard")


def check_live(stack, program, directory):
    ports = {name: free_port() for name in ("prometheus", "blackbox", "node")}
    path = configure(directory, stack, ports)
    run(program("promtool"), "check", "config", path)
    print("ok  promtool check config")
    client = Client(stack, stack.key)
    client.get("/v2/addresses?page_size=1")
    assert deliver(Client(stack), documents.event(
        "batch.updated", documents.batch())).status_code == 200
    stack.waybill("refresh")
    stack.waybill("reconcile", "--days", "1")
    started = []
    try:
        for name, words in (
                ("prometheus", ["--config.file=" + path,
                                "--storage.tsdb.path=" + directory + "/data"]),
                ("blackbox", [f"--config.file={directory}/blackbox.yml"]),
                ("node", [])):
            full = next(one for one in PACKAGES if one.startswith(
                "prometheus" if name == "prometheus" else
                f"prometheus-{name}"))
            started.append(Process(name, [
                program(full), f"--web.listen-address=127.0.0.1:{ports[name]}",
                *words], log=os.path.join(directory, name + ".log"),
                directory=directory).start())
        wait_until(lambda: is_scraped(ports["prometheus"]), 60,
                   "three targets that answer")
        check_queries(ports["prometheus"])
    finally:
        for one in started:
            one.stop()


def check(stack, directory):
    """All of it; the path of promtool, for who has another use for it."""
    directory = os.path.join(directory, "prometheus")
    os.mkdir(directory)
    program = fetch(directory)
    check_live(stack, program, directory)
    return program("promtool")


def main():
    with tempfile.TemporaryDirectory(prefix="waybill-accept-") as directory, \
            Stack(os.path.join(directory, "stack")) as stack:
        check(stack, directory)


if __name__ == "__main__":
    main()
