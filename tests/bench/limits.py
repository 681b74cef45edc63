"""What PostgreSQL allows by itself: the statements of the service, under pgbench.

The statements are read from PostgreSQL's own log while requests pass, so that
they are those that the service sends, whatever it sends.
"""

import os
import pathlib
import re
import subprocess
import tempfile

from env.wait import wait_until

CLIENTS = 8
TPS = re.compile(r"tps = ([\d.]+)")
STARTS = re.compile(r"^\d{4}-\d\d-\d\d ", re.M)
STATEMENT = re.compile(
    r"waybill waybill\S* LOG:  execute \S+: (.*)", re.S)
PARAMETER = re.compile(r"\$(\d+) = (?:'((?:[^']|'')*)'|(NULL))")
# Asked about a key at most once a second and worker: no part of a path.
KEY_LOOKUP = "api.find_key"


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
        """What was executed while ask() ran: (text, values) pairs."""
        path = self.stack.log("postgres")
        start = os.path.getsize(path)
        ask()
        with open(path, "rb") as file:
            file.seek(start)
            text = file.read().decode("utf-8", "replace")
        places = [m.start() for m in STARTS.finditer(text)] + [len(text)]
        entries = [text[a:b].strip() for a, b in zip(places, places[1:])]
        found = []
        for entry in entries:
            statement = STATEMENT.search(entry)
            if statement and KEY_LOOKUP not in entry:
                found.append([statement[1].replace("\n\t", "\n"), []])
            elif "DETAIL:  parameters:" in entry and found:
                values = [None if null else value.replace("''", "'")
                          for _, value, null in PARAMETER.findall(entry)]
                found[-1][1] = found[-1][1] or values
        return found


def script(number, statements, variables):
    """One request's statements for pgbench; its values go into `variables`."""
    lines = []
    for place, (text, values) in enumerate(statements):
        for n in range(len(values), 0, -1):
            name = f"v{number}x{place}x{n}"
            if values[n - 1] is None:
                text = text.replace(f"${n}", "null")
            else:
                variables[name] = values[n - 1]
                text = text.replace(f"${n}", f":{name}")
        lines.append(text + ";")
    return "\n".join(lines) + "\n"


def pgbench(url, scripts, seconds, variables=None):
    """Transactions a second, as the service's role over the same socket."""
    with tempfile.TemporaryDirectory() as folder:
        command = ["pgbench", "-n", "-M", "prepared", f"-c{CLIENTS}", "-j1",
                   f"-T{seconds}"]
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
    stack.psql("drop schema if exists bench cascade; create schema bench")
    stack.psql("create table bench.narrow as select n::bigint as id,"
               f" 'row ' || n as note from generate_series(1, {rows}) n")
    stack.psql("alter table bench.narrow add primary key (id)")
    stack.psql("create table bench.inserted (id bigserial primary key,"
               " note text)")
    stack.psql("vacuum analyze bench.narrow")


def lookup(rows):
    return [f"\\set i random(1, {rows})\n"
            "select n.note from bench.narrow n where n.id = :i;\n"]


INSERT = ["insert into bench.inserted (note) values ('one row');\n"]
