"""Load over HTTP with wrk: as much as goes, or so many requests a second."""

import pathlib
import re
import statistics
import subprocess

HERE = pathlib.Path(__file__).resolve().parent
CLIENTS = 8
LATENCY = re.compile(r"^\s+(50|99)%\s+([\d.]+)(us|ms|s|m)\s*$", re.M)
RATE = re.compile(r"^Requests/sec:\s+([\d.]+)", re.M)
BAD = re.compile(r"(Non-2xx|Socket errors).*")
UNIT_MS = {"us": 0.001, "ms": 1.0, "s": 1000.0, "m": 60_000.0}


def run(url, file, key, seconds, *, fresh=True, rate=0, clients=CLIENTS):
    """Requests a second, and milliseconds of the median and of the 99th
    percentile."""
    done = subprocess.run(
        ["wrk", "-t1", f"-c{clients}", f"-d{seconds}s", "--latency",
         "-s", str(HERE / "wrk.lua"), url, "--", str(file), key,
         "1" if fresh else "0", str(rate)],
        text=True, capture_output=True, check=True)
    text = done.stdout + done.stderr
    times = {p: float(v) * UNIT_MS[u] for p, v, u in LATENCY.findall(text)}
    if BAD.search(text) or set(times) != {"50", "99"}:
        raise SystemExit(f"{file}: no good answers\n{text}")
    return {"per_s": float(RATE.search(text)[1]), "p50_ms": times["50"],
            "p99_ms": times["99"]}


def middle(figures):
    """The median of each figure of several rounds, and the spread of per_s."""
    found = {key: round(statistics.median(one[key] for one in figures), 3)
             for key in figures[0]}
    rates = [one["per_s"] for one in figures]
    found["spread"] = round((max(rates) - min(rates)) / found["per_s"], 3)
    return found
