"""What PostgreSQL allows by itself: the statements of the service, under pgbench.

The statements are read from PostgreSQL's own log while requests pass, so that
they are those that the service sends, whatever it sends.
"""

import io
import os
import pathlib
import re
import statistics
import subprocess
import tempfile
import time

from env.wait import wait_until

CLIENTS = 8
TPS = re.compile(r"tps = ([\d.]+)")
STARTS = re.compile(r"^\d{4}-\d\d-\d\d ", re.M)
# Of the workers; `waybill jobs` writes down the requests meanwhile.
OURS = re.compile(r"^[^\n]* waybill waybill-(?!jobs)\S* ")
STATEMENT = re.compile(r" LOG:  execute (\S+): (.*)", re.S)
PARAMETER = re.compile(r"\$(\d+) = (?:'((?:[^']|'')*)'|(NULL))")
# Asked about a key at most once a second and worker, about a large total once in
# ten, about bulk calls once a second: no part of a path.
SELDOM = ("api.find_key", "explain (format json)", "api.take_bulk",
          "api.rest_bulk")


class Statements:
    """While open, PostgreSQL logs each statement of the service."""

    def __init__(self, stack):
        self.stack = stack

    def __enter__(self):
        self.set("all")
        return self

    def __exit__(self, *_):
        self.set("none")

    def set(self, what):
        self.stack.psql(f"alter system set log_statement = '{what}'")
        self.stack.psql("select pg_reload_conf()")
        wait_until(lambda: self.stack.psql("show log_statement")
                   == [(what,)], 10)

    def of(self, ask):
        """What was executed while ask() ran: text, values, and whether its plan
        is kept."""
        path = self.stack.log("postgres")
        start = os.path.getsize(path)
        ask()
        with open(path, "rb") as file:
            file.seek(start)
            text = file.read().decode("utf-8", "replace")
        places = [m.start() for m in STARTS.finditer(text)] + [len(text)]
        entries = [entry for entry in (
            text[a:b].strip() for a, b in zip(places, places[1:]))
            if OURS.match(entry)]
        found, wants_values = [], False
        for entry in entries:
            statement = STATEMENT.search(entry)
            if statement and not any(one in entry for one in SELDOM):
                found.append([statement[2].replace("\n\t", "\n"), [],
                              statement[1] != "<unnamed>"])
                wants_values = True
            elif statement:
                wants_values = False
            elif "DETAIL:  parameters:" in entry and wants_values:
                found[-1][1] = [None if null else value.replace("''", "'")
                                for _, value, null in PARAMETER.findall(entry)]
        return found


def script(number, statements, variables):
    """One request's statements for pgbench; its values go into `variables`."""
    lines = []
    for place, (text, values, _) in enumerate(statements):
        for n in range(len(values), 0, -1):
            name = f"v{number}x{place}x{n}"
            if values[n - 1] is None:
                text = text.replace(f"${n}", "null")
            else:
                variables[name] = values[n - 1]
                text = text.replace(f"${n}", f":{name}")
        lines.append(text + ";")
    return "\n".join(lines) + "\n"


def pgbench(url, scripts, seconds, variables=None, clients=CLIENTS, each=None):
    """Transactions a second, as the service's role over the same socket; for so many
    seconds, or `each` client so many."""
    with tempfile.TemporaryDirectory() as folder:
        command = ["pgbench", "-n", "-M", "prepared", f"-c{clients}", "-j1",
                   f"-t{each}" if each else f"-T{seconds}"]
        for number, text in enumerate(scripts):
            path = pathlib.Path(folder, f"{number}.sql")
            path.write_text(text)
            command += ["-f", str(path)]
        for name, value in (variables or {}).items():
            command += ["-D", f"{name}={value}"]
        done = subprocess.run([*command, url], text=True,
                              capture_output=True, check=False)
    if done.returncode != 0:
        raise SystemExit(f"pgbench: {done.stderr}")
    return float(TPS.search(done.stdout)[1])


def make_tables(stack, rows):
    """For the two measures beside: a narrow row by its key, and one insert."""
    stack.psql("drop schema if exists bench cascade; create schema bench;"
               "grant usage on schema bench to public")
    stack.psql("create table bench.narrow as select n::bigint as id,"
               f" 'row ' || n as note from generate_series(1, {rows}) n")
    stack.psql("alter table bench.narrow add primary key (id)")
    stack.psql("create table bench.inserted (id bigserial primary key,"
               " note text)")
    stack.psql("vacuum analyze bench.narrow")


def lookup(rows):
    return [f"\\set i random(1, {rows})\n"
            "select n.note from bench.narrow n where n.id = :i;\n"]


# A shipment gets on: any of ten thousand, and of one day and service.
TARGETS = """
create table bench.many as
select row_number() over () - 1 as n, s.id
from (select id from waybill.shipments where mode = 'production'
    order by created_at desc limit 10000) s;
create table bench.one_group as
select row_number() over () - 1 as n, s.id
from waybill.shipments s
where (date_trunc('day', s.created_at), s.carrier, s.service) = (
    select date_trunc('day', created_at), carrier, service
    from waybill.shipments
    where carrier is not null and mode = 'production'
        and created_at > now() - interval '30 days'
    group by 1, 2, 3 order by count(*) desc limit 1)
    and s.mode = 'production';
alter table bench.many add primary key (n);
alter table bench.one_group add primary key (n);
"""


def update_of(table, rows):
    return [f"\\set n random(0, {rows} - 1)\n"
            "update waybill.shipments set delivered_at = case when delivered_at "
            "is null then now() end, status = case when delivered_at is null "
            "then 'delivered' else 'in_transit' end, updated_at = now() "
            "where id = "
            f"(select t.id from bench.{table} t where t.n = :n);\n"]


FOUND = {
    "addresses": "select unnest(array[from_address_id, to_address_id])"
                 " from waybill.shipments where id = any('{}')",
    "parcels": "select parcel_id from waybill.shipments where id = any('{}')",
    "shipments": "select unnest('{}'::uuid[])",
}


def times_copy(url, call, rounds=5):
    """How much longer a call takes than COPY of the very rows that it inserts
    into tables of the same columns, indexes and constraints; both end before
    their commit."""
    import psycopg2
    connection = psycopg2.connect(url)
    cursor = connection.cursor()
    cursor.execute("set search_path = waybill, bench")
    times = {"call": [], "copy": []}
    for _ in range(rounds):
        rows = {}
        started = time.monotonic()
        cursor.execute(call)
        [(ids,)] = cursor.fetchall()
        times["call"].append(time.monotonic() - started)
        for table, found in FOUND.items():
            cursor.execute("select string_agg(quote_ident(attname), ',')"
                           " from pg_attribute where attrelid = %s::regclass"
                           " and attnum > 0 and not attisdropped"
                           " and attgenerated = ''", (f"waybill.{table}",))
            [(columns,)] = cursor.fetchall()
            rows[table] = columns, io.StringIO()
            cursor.copy_expert(f"copy (select {columns} from waybill.{table}"
                               f" where id in ({found.format(ids)})) to stdout",
                               rows[table][1])
            cursor.execute(f"create table bench.copied_{table} (like"
                           f" waybill.{table} including all)")
        started = time.monotonic()
        for table, (columns, text) in rows.items():
            text.seek(0)
            cursor.copy_expert(f"copy bench.copied_{table} ({columns})"
                               " from stdin", text)
        times["copy"].append(time.monotonic() - started)
        connection.rollback()
    connection.close()
    call, copy = (statistics.median(times[name]) for name in ("call", "copy"))
    return round(call / copy, 2)


INSERT = ["insert into bench.inserted (note) values ('one row');\n"]
