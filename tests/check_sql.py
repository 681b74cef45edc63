#!/usr/bin/python3
"""check_sql.py: the database as `waybill migrate` makes it, looked through.

In a cluster of its own: plpgsql_check over every function, no function that
anybody may call, all migrations down and up again ends in the same schema, no
function longer than 60 lines.  Prints what is wrong; exit 1 when anything is.
"""

import glob
import os
import re
import shutil
import subprocess
import sys
import tempfile

ROOT = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
sys.path.insert(0, os.path.join(ROOT, "tests"))

from env.postgres import Postgres  # noqa: E402  pylint: disable=C0413
from env.process import Failed  # noqa: E402  pylint: disable=C0413

LINES_MAX = 60  # of a function or view, without the comment above it
SQL = os.path.join(ROOT, "sql")
SCHEMAS = "('waybill', 'api', 'admin')"

# Trigger functions are looked at with each table that calls them.
COMPLAINTS = f"""
    select p.oid::regprocedure || ': ' || c.message
    from pg_proc p
    join pg_namespace n on n.oid = p.pronamespace
    join pg_language l on l.oid = p.prolang
    left join pg_trigger t on t.tgfoid = p.oid and not t.tgisinternal
    cross join lateral plpgsql_check_function(p.oid, coalesce(t.tgrelid, 0),
        oldtable := t.tgoldtable, newtable := t.tgnewtable,
        fatal_errors := false, security_warnings := true) as c (message)
    where n.nspname in {SCHEMAS}
        and l.lanname = 'plpgsql'
    order by 1
"""

# What comes with an extension is a superuser's: no migration may revoke it.
OPEN = f"""
    select p.oid::regprocedure || ': anybody may call it'
    from pg_proc p
    join pg_namespace n on n.oid = p.pronamespace
    where n.nspname in {SCHEMAS}
        and has_function_privilege('public', p.oid, 'execute')
        and not exists (
            select
            from pg_depend d
            where d.classid = 'pg_proc'::regclass
                and d.objid = p.oid
                and d.deptype = 'e')
    order by 1
"""


def migrate(server, conf, direction):
    environment = {"PATH": os.environ["PATH"], "WAYBILL_SQL_DIR": SQL,
                   "DATABASE_URL": server.operator_url(),
                   "LOG_LEVEL": "warning"}
    subprocess.run([os.path.join(ROOT, "build", "waybill"), "-c", conf,
                    "migrate", direction], env=environment, check=True,
                   stdout=subprocess.DEVNULL)


def dump(server):
    """The schema as text, without what differs in every dump."""
    text = subprocess.run(
        [f"{server.programs}/pg_dump", "--schema-only", server.admin_url()],
        check=True, capture_output=True, text=True).stdout
    return [line for line in text.splitlines()
            if not re.match(r"\\(un)?restrict |-- Dumped ", line)]


def long_functions():
    for path in sorted(glob.glob(os.path.join(SQL, "*", "*.sql"))):
        lines = open(path, encoding="utf-8").read().splitlines()
        starts = [number for number, line in enumerate(lines)
                  if re.match(r"create (or replace )?function", line)]
        for start in starts:
            end = next(number for number in range(start, len(lines))
                       if re.match(r"\$\$;|end;", lines[number]))
            if end - start >= LINES_MAX:
                yield (f"{os.path.relpath(path, ROOT)}: {end - start + 1} "
                       f"lines, at most {LINES_MAX}")


def rows(server, sql):
    return [line for line in server.psql(sql).splitlines() if line]


def look(server, conf):
    found = list(long_functions())
    server.make_database()
    migrate(server, conf, "up")
    fresh = dump(server)
    for _ in glob.glob(os.path.join(SQL, "migrations", "*.down.sql")):
        migrate(server, conf, "down")
    migrate(server, conf, "up")
    again = dump(server)
    if fresh != again:
        found += ["down and up again is not what a fresh database is:",
                  *sorted(set(fresh) ^ set(again))[:40]]
    server.psql("create extension plpgsql_check schema public")
    found += rows(server, COMPLAINTS)
    found += rows(server, OPEN)
    return found


def main():
    directory = tempfile.mkdtemp(prefix="waybill-sql-", dir="/tmp")
    os.chmod(directory, 0o755)
    conf = os.path.join(directory, "empty.conf")
    with open(conf, "w", encoding="utf-8"):
        pass
    server = Postgres(os.path.join(directory, "data"),
                      os.path.join(directory, "sock"),
                      os.path.join(directory, "log"), fsync=False)
    try:
        server.make()
        server.start()
        found = look(server, conf)
    except (Failed, subprocess.CalledProcessError) as error:
        found = [str(error)]
    finally:
        server.stop()
        shutil.rmtree(directory, ignore_errors=True)
    for line in found:
        print(line)
    return 1 if found else 0


if __name__ == "__main__":
    sys.exit(main())
