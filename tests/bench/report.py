"""The figures of one run: a table, a JSON file, a page."""

import json
import os
import pathlib

GOALS = {
    "by_id": (0.95, 0.60), "by_tracking": (0.95, 0.50),
    "by_easypost_id": (0.95, 0.50), "list": (0.80, 0.25), "dashboard": (0.90, 0.5),
    "cached": (None, 0.5), "not_modified": (None, 0.5),
    "webhook": (0.85, 0.5), "bulk": (0.90, "at most 3 x COPY"),
}
COLUMNS = ("per_s", "p50_ms", "p99_ms", "spread", "half_p50_ms", "half_p99_ms",
           "pgbench_per_s", "of_h", "of_lookup", "times_copy")
ALWAYS = ("of_h", "of_lookup", "p50_ms", "p99_ms", "per_s")
ABOUT = """# Bench

What each path costs beside its parts, on one machine and in one run. Absolute
figures drift with the machine and the hour; the ratios count.

- `per_s`, `p50_ms`, `p99_ms`: 8 connections, as much as goes, through nginx
  with TLS; the median of the rounds. `spread`: between the rounds, of `per_s`.
- `half_p50_ms`, `half_p99_ms`: at half of that rate, by a schedule. The goal
  is a p99 of at most four times the p50.
- Reads ask for 40,000 shipments in turn, neighbours that are in memory.
- `pgbench_per_s`: the statements that the service sent for the first of these
  requests, read from PostgreSQL's log, with the same values, prepared, over the
  same socket and with as many clients, as the service's role.
- `of_h`: `per_s` of H = 1 / (1/hello + 1/pgbench), which is what the cores that
  carry both allow. hello is `/livez`: nginx, a worker, a constant.
- `of_lookup`: what pgbench does of the bare look-up of a narrow row by its key;
  of a webhook: of one inserted row with its commit; of what nginx answers from
  its cache: `per_s` of what nginx answers by itself (`return 200`).
- `dashboard`: the figures of 30 days, never out of the cache; `analytics`: how many
  of them PostgreSQL gives when they are ready and when 10,000 changes are not
  merged, each with its commit; what merging these takes, the hourly comparison after
  as many, and the comparison of all of 90 days, in memory; the share of writes a
  second that analytics cost 16 clients, merges too, of events, each of which changes the figures, and
  of bare updates of a row, which nothing sends; of many shipments and of those of one
  day, carrier and service. The first day that is compared has what `bulk` inserted.
- `outage`: 200 webhooks a second, calm, and then while PostgreSQL stands still
  (SIGSTOP): `first_p99_ms` in the seconds in which it does so, `then_p99_ms` from then
  on; and how long the spool took to get empty when it went on.
- `proxy`: what it adds to a direct call of the simulator, which answers at once.

"""


def show(figures):
    print(f"{'':15}" + "".join(f"{name:>15}" for name in COLUMNS))
    for path, one in figures.items():
        if "per_s" in one:
            print(f"{path:15}" + "".join(
                f"{one.get(name, ''):>15}" for name in COLUMNS))
        else:
            print(f"{path:15}" + "  ".join(f"{k}={v}" for k, v in one.items()))


def write_json(figures, build):
    """All figures; each path has those of ALWAYS, null where there is none."""
    path = pathlib.Path(build, "bench.json")
    path.parent.mkdir(exist_ok=True)
    whole = {name: {**dict.fromkeys(ALWAYS), **one} if "per_s" in one else one
             for name, one in figures.items()}
    path.write_text(json.dumps(whole, indent=1) + "\n")
    print(f"written to {path}")


def write_page(figures, settings, version, rows, flags, *, is_lean):
    goals = {path: f"{of_h or '-'} / {of_lookup}"
             for path, (of_h, of_lookup) in GOALS.items()}
    lines = ["| path | " + " | ".join(COLUMNS) + " | goal: of_h / of_lookup |",
             "|---" * (len(COLUMNS) + 2) + "|"]
    for path, one in figures.items():
        if "per_s" in one:
            cells = [str(one.get(name, "")) for name in COLUMNS]
            lines.append(f"| {path} | " + " | ".join(cells)
                         + f" | {goals.get(path, '')} |")
    others = [f"- {path}: " + ", ".join(
        f"{k} {v}" for k, v in one.items() if "per_s" not in one or "adds" in k)
        for path, one in figures.items()
        if "per_s" not in one or "adds_p50_ms" in one]
    machine = (f"Machine: {os.cpu_count()} cores, which carry the load, nginx, "
               f"the workers and PostgreSQL {version}, fsync on ("
               + ", ".join(f"{k} {v}" for k, v in settings.items())
               + f"); {rows} {'lean ' if is_lean else ''}shipments.\n\n"
               f"    make bench BENCH_FLAGS=\"{flags}\"\n\n")
    page = pathlib.Path("docs", "bench-lean.md" if is_lean else "bench.md")
    page.parent.mkdir(exist_ok=True)
    page.write_text(ABOUT + machine + "\n".join(lines) + "\n\n"
                    + "\n".join(others) + "\n")
    print(f"written to {page}")
