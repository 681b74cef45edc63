#!/usr/bin/python3
"""Fills a migrated database with shipments that look recorded, fast.

    tests/bench/seed.py --rows 1000000 postgresql://postgres@/waybill

Each row has the columns and the shapes that recording would give it.  The same
seed, rows and `until` make the same rows.  Secondary indexes are dropped and
made again by their definitions, triggers and foreign keys are not asked: for a
database that nothing else uses.  Needs a superuser.

What must stay true: prepare.sql and fill.sql write what waybill.insert_shipment
and its like would (tests/test_seed.py compares).
"""

import argparse
import datetime
import pathlib
import queue
import subprocess
import sys
import threading
import time

HERE = pathlib.Path(__file__).resolve().parent
sys.path.insert(0, str(HERE))
import words  # noqa: E402

STEP = 10000  # shipments a transaction
MONTHS = 18
CUSTOMER_SHARE = 5  # shipments of one customer, on average
FILLED = ("addresses", "parcels", "shipments", "trackers", "shipment_events",
          "documents", "webhook_event_ids", "webhook_events")

# What stands in the way of fast writing, and how it comes back: every index but
# the primary keys, which keep foreign keys alive.
INDEXES = """
select t.relname, case when o.oid is null
        then format('drop index waybill.%I', x.relname)
        else format('alter table waybill.%I drop constraint %I',
            t.relname, o.conname) end,
    case when o.oid is null
        then replace(pg_get_indexdef(x.oid), ' ON ONLY ', ' ON ')
        else format('alter table waybill.%I add constraint %I %s',
            t.relname, o.conname, pg_get_constraintdef(o.oid)) end
from pg_index i
join pg_class x on x.oid = i.indexrelid
join pg_class t on t.oid = i.indrelid
left join pg_constraint o on o.conindid = x.oid and o.contype in ('u', 'x')
where t.relnamespace = 'waybill'::regnamespace
    and not i.indisprimary
    and not x.relispartition
    and t.relname = any('{FILLED}')
order by pg_relation_size(t.oid) desc, x.relname
""".replace("FILLED", ",".join(FILLED))


class Session:
    """psql, once a script."""

    def __init__(self, url, **variables):
        self.argv = ["psql", "-XqAt", "-F", "\t", "-v", "ON_ERROR_STOP=1"]
        for name, value in variables.items():
            self.argv += ["-v", f"{name}={value}"]
        self.argv += ["-d", url, "-f", "-"]

    def run(self, sql):
        """The rows of a script, as lists of texts."""
        done = subprocess.run(self.argv, input=sql, text=True,
                              capture_output=True, check=False)
        if done.returncode != 0:
            raise RuntimeError(done.stderr.strip() or "psql failed")
        return [line.split("\t") for line in done.stdout.splitlines()]


def copied(table, rows):
    """A script that copies rows into a table of the seed."""
    return (f"copy seeding.{table} from stdin;\n"
            + "".join("\t".join(map(copy_text, row)) + "\n" for row in rows)
            + "\\.\n")


def copy_text(value):
    if isinstance(value, list):
        value = "{" + ",".join(f'"{one}"' for one in value) + "}"
    return str(value).replace("\\", "\\\\")


def in_parallel(tasks, jobs):
    """Calls each; the first failure ends the rest and is raised."""
    todo = queue.SimpleQueue()
    for task in tasks:
        todo.put(task)
    failures = []

    def work():
        while not failures:
            try:
                task = todo.get_nowait()
            except queue.Empty:
                return
            try:
                task()
            except Exception as error:  # raised below
                failures.append(error)

    threads = [threading.Thread(target=work) for _ in range(jobs)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    if failures:
        raise failures[0]


def seed(url, rows=1_000_000, *, number=1, until=None, documents=0.05,
         events=0.05, lean=False, bare=False, jobs=2, say=lambda what: None):
    """Writes `rows` shipments of the months before `until` (now), and what
    belongs to them; `documents` and `events` are the shares of which the
    document and the last webhook are kept.  `lean` is without rates, and
    with the last two scans of a journey: 6 kB a shipment instead of 12; `bare`
    besides without what lies beside it: what figures are made of."""
    lean = lean or bare
    until = until or datetime.datetime.now(datetime.timezone.utc)
    until = until.replace(microsecond=0)
    since = until - datetime.timedelta(days=MONTHS * 365.25 / 12)
    span = {"rows": rows, "since": since.isoformat(),
            "until": until.isoformat()}
    plain = Session(url)
    started = time.monotonic()

    def tell(what):
        say(f"{what} ({time.monotonic() - started:.0f} s)")

    Session(url, seed=number, **span).run((HERE / "prepare.sql").read_text())
    plain.run("".join(copied(table, make())
                      for table, make in words.TABLES.items()))
    Session(url, customers=max(rows // CUSTOMER_SHARE, 1)).run(
        (HERE / "customers.sql").read_text())
    indexes = plain.run(INDEXES)
    plain.run("".join(f"{drop};\n" for _, drop, _ in indexes))
    tell("prepared")

    fill = (HERE / "fill.sql").read_text()

    def filling(first):
        last = min(first + STEP - 1, rows)
        return lambda: Session(url, first=first, last=last, events=events,
                               documents=documents, lean=lean, bare=bare,
                               **span).run(fill)

    in_parallel([filling(first) for first in range(1, rows + 1, STEP)], jobs)
    tell(f"{rows} shipments written")

    def making(create):
        return lambda: plain.run("set maintenance_work_mem = '256MB';\n"
                                 f"{create};\n")

    in_parallel([making(create) for _, _, create in indexes], jobs)
    tell(f"{len(indexes)} indexes made")

    plain.run("drop schema seeding cascade")
    in_parallel([lambda table=table: plain.run(
        f"vacuum (analyze) waybill.{table}") for table in FILLED], jobs)
    plain.run("select count(*) from waybill.refresh_analytics_views('2000-01-01')")
    tell("vacuumed and analyzed")


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("url", help="of the database, as a superuser")
    parser.add_argument("--rows", type=int, default=1_000_000)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--jobs", type=int, default=2)
    parser.add_argument("--documents", type=float, default=0.05,
                        help="share of shipments whose document is kept")
    parser.add_argument("--lean", action="store_true",
                        help="without rates, and with the last two scans")
    parser.add_argument("--bare", action="store_true",
                        help="besides without all that lies beside a shipment")
    options = parser.parse_args()
    seed(options.url, options.rows, number=options.seed, jobs=options.jobs,
         documents=options.documents, lean=options.lean, bare=options.bare,
         say=print)


if __name__ == "__main__":
    main()
