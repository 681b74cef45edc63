"""The whole of Waybill, for real: PostgreSQL, the simulator, the three pools,
the jobs and nginx, in one directory and on one free port.

    with Stack(directory) as stack:
        stack.request("GET", "/health", key=stack.key)

A stack is started from the main thread (see process.py).  What must stay true:
after stop() no process, socket or port of it is left; stop() fails otherwise.
"""

import glob
import http.client
import json
import os
import re
import secrets
import shutil
import signal
import ssl
import tempfile

from env.nginx import ADDRESS, Nginx, free_port
from env.postgres import Postgres, can_reach
from env.process import Failed, adopt_orphans, living
from env.service import Service
from env.simulator import Simulator
from env.wait import TooLate, wait_until

ROOT = os.path.dirname(os.path.dirname(os.path.dirname(
    os.path.abspath(__file__))))
SOCKET_PATH_MAX = 107  # unix(7)
LONGEST_SOCKET = "pg/.s.PGSQL.5432.lock"

# Fewer workers than in production: a stack is small, and there may be several.
TEST_SETTINGS = {
    "ENVIRONMENT": "test",
    "LOG_LEVEL": "debug",
    "WORKERS": "10",
    "WORKERS_OVERFLOW": "10",
    # "é" has two forms in Unicode, and only one of them is signed with.
    "EASYPOST_WEBHOOK_SECRET": "s\u00e9cret-of-the-tests",
}

# What no log may ever hold: the sanitizers' reports and our own last words.
TROUBLE = re.compile(
    rb"ERROR: (Address|Leak|Undefined\w*)Sanitizer|runtime error: "
    rb"|stack smashing|panic|PANIC: |SUMMARY: \w+Sanitizer"
    rb"|terminated by signal (4|6|7|8|11)\b")


class Answer:
    """What came back on request(); no library needed."""

    def __init__(self, status, headers, body):
        self.status = status
        self.headers = headers
        self.body = body

    def json(self):
        return json.loads(self.body)

    def __repr__(self):
        return f"<{self.status} {self.body[:300]!r}>"


class Stack:
    """Everything, started and stopped together.

    conf            settings over those of the tests; None leaves one out
    sim             False: EASYPOST_API_BASE is the caller's business
    database_url    another server's database instead of a private cluster
    settings        the base under `conf`
    port            of nginx; any free one by default
    run_dir         of sockets and nginx's cache; sock/ by default
    fsync           False: faster, and what it protects from (the loss of
                    power) no test can do to a process
    """

    def __init__(self, directory, *, build=None, sim=True, conf=None,
                 database_url=None, settings=None, port=None, fsync=False,
                 latency="none", environment=None, postgres_settings=None,
                 run_dir=None, sim_state=None, say=lambda what: None):
        self.directory = os.path.abspath(str(directory))
        self.build = os.path.join(ROOT, build or default_build)
        self.has_sim = sim
        self.latency = latency
        self.sim_state = sim_state  # a file in which the simulator lives on
        self.environment = environment
        self.outside_database = database_url
        self.port = port
        self.fsync = fsync
        self.postgres_settings = postgres_settings
        self.say = say  # what is begun, for somebody who waits
        self.settings = {**(TEST_SETTINGS if settings is None else settings),
                         **(conf or {})}
        self.log_dir = os.path.join(self.directory, "log")
        self.spool_dir = os.path.join(self.directory, "spool")
        self.backup_dir = os.path.join(self.directory, "backup")
        self.conf_file = os.path.join(self.directory, "waybill.conf")
        self.given_run_dir = run_dir
        self.run_dir = self.pg_dir = None
        self.is_migrated = False  # as a copy of one that is
        self.postgres = self.nginx = self.service = self.sim = None
        self.key = self.key_production = None

    # --- life -----------------------------------------------------------------

    def start(self):
        running.append(self)
        try:
            adopt_orphans()
            self.make_directories()
            if self.outside_database is None:
                self.say("PostgreSQL")
            self.start_database()
            if self.has_sim:
                self.say("simulator")
            self.start_simulator()
            self.write_configuration()
            if self.service_url:
                self.say("migrations")
            self.migrate()
            self.make_keys()
            self.say("workers")
            self.service.start_all()
            self.say("nginx")
            self.start_nginx()
        except BaseException:
            self.stop_quietly()
            raise
        return self

    def stop(self):
        """Stops everything in order, outermost first; fails when something
        would not stop or a process is left."""
        late = []
        for part in (self.nginx and self.nginx.stop,
                     self.service and self.service.stop_all,
                     self.sim and self.sim.stop,
                     self.postgres and self.stop_database):
            try:
                if part:
                    part()
            except TooLate as error:
                late.append(str(error))
        left = self.kill_what_is_left()
        self.remove_sockets()
        if self in running:
            running.remove(self)
        troubles.extend(self.trouble())
        if late or left:
            raise Failed("\n".join(late + [
                f"process {pid} was left: {words}"
                for pid, words in left.items()]))

    def stop_quietly(self):
        """After a failure, whose report matters more than ours."""
        try:
            self.stop()
        except Exception as error:  # whatever it is, go on
            print(f"(while stopping: {error})")

    def __enter__(self):
        return self.start()

    def __exit__(self, *_):
        self.stop()
        self.remove_database()

    # --- the steps ----------------------------------------------------------------

    def make_directories(self):
        # Others may pass through (the server's user has its data below), but
        # only see what has no secrets: everything else is 0700.
        os.makedirs(self.directory, mode=0o711, exist_ok=True)
        os.chmod(self.directory, 0o711)
        for path in (self.log_dir, self.spool_dir, self.backup_dir):
            os.makedirs(path, mode=0o700, exist_ok=True)
            os.chmod(path, 0o700)
        self.run_dir = self.socket_directory()

    def socket_directory(self):
        """The given one, or sock/ below the directory, or a short one elsewhere
        when its path is too long for a socket or the server's user cannot get
        there."""
        path = self.given_run_dir or os.path.join(self.directory, "sock")
        longest = os.path.join(path, LONGEST_SOCKET)
        if self.given_run_dir is None and (
                len(longest) > SOCKET_PATH_MAX
                or not can_reach(self.directory)):
            path = elsewhere(path, "/tmp")
        notes = os.path.join(path, "nginx")
        os.makedirs(notes, exist_ok=True)
        os.chmod(notes, 0o770)  # as tmpfiles.d makes it
        os.chmod(path, 0o711)
        return path

    def database_directory(self):
        """pg/ below the directory, or elsewhere when the server's user cannot
        get there (a clone in the home of root)."""
        path = os.path.join(self.directory, "pg")
        return path if can_reach(self.directory) else elsewhere(path, "/var/tmp")

    def start_database(self):
        if self.outside_database is not None:
            return
        self.pg_dir = self.database_directory()
        self.postgres = Postgres(
            self.pg_dir, os.path.join(self.run_dir, "pg"), self.log("postgres"),
            fsync=self.fsync, settings=self.postgres_settings)
        self.is_migrated = self.postgres.make(like="migrated")
        self.postgres.start()
        if not self.is_migrated:
            self.postgres.make_database()

    def stop_database(self):
        try:
            self.postgres.thaw()  # what stands still cannot stop
        except (OSError, AttributeError):
            pass
        self.postgres.stop()

    def start_simulator(self):
        self.port = self.port or free_port()
        self.nginx = Nginx(os.path.join(self.directory, "nginx"), self.run_dir,
                           self.log_dir, os.path.join(self.directory, "tls"),
                           self.port)
        self.nginx.make_certificate()
        if not self.has_sim:
            return
        self.settings.setdefault("EASYPOST_TEST_API_KEY", easypost_key("EZTK"))
        self.settings.setdefault("EASYPOST_API_KEY", easypost_key("EZAK"))
        self.sim = Simulator(
            self.directory, self.log("simulator"), latency=self.latency,
            state_file=self.sim_state,
            test_key=self.settings["EASYPOST_TEST_API_KEY"],
            production_key=self.settings["EASYPOST_API_KEY"],
            webhook_ca=self.ca, webhook_url=self.url + "/webhooks/easypost",
            webhook_secret=self.settings.get("EASYPOST_WEBHOOK_SECRET"))
        self.sim.start()
        self.settings.setdefault("EASYPOST_API_BASE", self.sim.base)

    def write_configuration(self):
        """The file that the programs read; kept from others' eyes."""
        values = {
            "DATABASE_URL": self.service_url,
            "WAYBILL_RUN_DIR": self.run_dir,
            "WAYBILL_SPOOL_DIR": self.spool_dir,
            "WAYBILL_BACKUP_DIR": self.backup_dir,
            "WAYBILL_SQL_DIR": os.path.join(ROOT, "sql"),
            **self.settings,
        }
        lines = [f"{name}={quote(value)}\n"
                 for name, value in sorted(values.items()) if value is not None]
        descriptor = os.open(self.conf_file,
                             os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
        with open(descriptor, "w", encoding="utf-8") as file:
            file.writelines(lines)
        self.service = Service(self.build, self.conf_file, self.run_dir,
                               self.log_dir, self.directory, self.environment,
                               self.operator_url)

    def migrate(self):
        if self.is_migrated:
            return
        if self.service_url:
            self.service.waybill("migrate", "up", limit_s=120.0)
        if self.postgres:
            self.postgres.grant_service_rights()
            self.postgres.keep_as("migrated")

    def make_keys(self):
        if self.service_url:
            self.key = self.service.make_key("tests", "test")
            self.key_production = self.service.make_key("tests-production",
                                                        "production")

    def start_nginx(self):
        self.nginx.make()
        self.nginx.start()
        wait_until(lambda: self.request("GET", "/livez").status == 200, 20.0,
                   "the first answer through nginx")

    # --- the end -------------------------------------------------------------------

    def kill_what_is_left(self):
        """Kills what the order to stop left behind, and tells what that was."""
        places = [path for path in (self.directory, self.run_dir, self.pg_dir)
                  if path]
        left = living(places)
        if left:  # a last child may just be on its way out
            try:
                wait_until(lambda: not living(places), 2.0)
                return {}
            except TooLate:
                left = living(places)
        for pid in left:
            try:
                os.kill(pid, signal.SIGKILL)
            except ProcessLookupError:
                pass
        return left

    def remove_sockets(self):
        """Scoreboards too: they are of processes that are gone."""
        link = os.path.join(self.directory, "sock")
        if self.run_dir:
            shutil.rmtree(self.run_dir, ignore_errors=True)
        if os.path.islink(link):
            os.unlink(link)

    def remove_database(self):
        """The large part of a stopped stack, which may lie elsewhere."""
        place = os.path.join(self.directory, "pg")
        shutil.rmtree(os.path.realpath(place), ignore_errors=True)
        if os.path.islink(place):
            os.unlink(place)

    def remove(self):
        """Everything of a stopped stack."""
        self.remove_database()
        self.run_dir = os.path.realpath(os.path.join(self.directory, "sock"))
        self.remove_sockets()
        shutil.rmtree(self.directory, ignore_errors=True)

    # --- where and who -----------------------------------------------------------

    @property
    def url(self):
        return f"https://{ADDRESS}:{self.port}"

    @property
    def ca(self):
        """Path of the certificate to trust."""
        return self.nginx.ca

    @property
    def service_url(self):
        """What the programs connect with: a role with few rights."""
        if self.outside_database is not None:
            return self.outside_database
        return self.postgres.url()

    @property
    def operator_url(self):
        """The same database for the operator, who migrates and makes keys."""
        if self.outside_database is not None:
            return self.outside_database
        return self.postgres.operator_url()

    @property
    def database_url(self):
        """The same database for an administrator, who may see everything."""
        if self.outside_database is not None:
            return self.outside_database
        return self.postgres.admin_url()

    @property
    def pids(self):
        """Process ids by name: the pools' supervisors, jobs, nginx, ..."""
        found = self.service.pids()
        for name, part in (("nginx", self.nginx), ("simulator", self.sim),
                           ("postgres", self.postgres)):
            if part and part.process and part.process.is_running():
                found[name] = part.process.pid
        return found

    # --- use -----------------------------------------------------------------------

    def request(self, method, path, *, key=None, body=None, headers=None,
                timeout_s=70.0):
        """One request on a connection of its own."""
        headers = dict(headers or {})
        if key:
            headers["Authorization"] = f"Bearer {key}"
        if isinstance(body, (dict, list)):
            body = json.dumps(body)
            headers.setdefault("Content-Type", "application/json")
        connection = http.client.HTTPSConnection(
            ADDRESS, self.port, timeout=timeout_s,
            context=ssl.create_default_context(cafile=self.ca))
        try:
            connection.request(method, path, body, headers)
            answer = connection.getresponse()
            body = answer.read()
            for look in observers:
                look(method, path, answer.status, answer.headers, body)
            return Answer(answer.status, answer.headers, body)
        finally:
            connection.close()

    def psql(self, sql):
        """A query's rows as tuples of values (of texts without psycopg2), with
        an administrator's rights."""
        try:
            import psycopg2
        except ImportError:
            text = self.postgres.psql(sql)
            return [tuple(line.split("|")) for line in text.splitlines()]
        connection = psycopg2.connect(self.database_url)
        try:
            connection.autocommit = True
            with connection.cursor() as cursor:
                cursor.execute("set search_path = waybill, public")
                cursor.execute(sql)
                return cursor.fetchall() if cursor.description else []
        finally:
            connection.close()

    def waybill(self, *words):
        """Runs the operator's program; what it printed."""
        return self.service.waybill(*words)

    def stop_pool(self, pool):
        return self.service.stop(pool)

    def start_pool(self, pool):
        return self.service.start(pool)

    def restart(self, pool):
        return self.service.restart(pool)

    def reload(self, pool):
        self.service.reload(pool)

    # --- logs -----------------------------------------------------------------------

    def log(self, name):
        return os.path.join(self.log_dir, name + ".log")

    def log_sizes(self):
        """A place in each log, to ask later what came after it."""
        return {path: os.path.getsize(path)
                for path in glob.glob(os.path.join(self.log_dir, "*.log"))}

    def logs(self, since=None):
        """The text of each log by its name, from a place on."""
        found = {}
        for path in sorted(glob.glob(os.path.join(self.log_dir, "*.log"))):
            with open(path, "rb") as file:
                file.seek((since or {}).get(path, 0))
                found[os.path.basename(path)] = file.read()
        return found

    def trouble(self):
        """Lines that no log may hold: sanitizers' reports, panics."""
        return [f"{name}: {line.decode('utf-8', 'replace')}"
                for name, text in self.logs().items()
                for line in text.splitlines() if TROUBLE.search(line)]


# The stacks of this process, and what was wrong in the logs of those that have
# stopped.
running = []
troubles = []

# Called with each answer: method, path, status, headers, body.
observers = []

# What --build chose; a stack of a test need not know.
default_build = "build"


def use_build(build):
    global default_build
    default_build = build


def elsewhere(link, parent):
    """The directory that a symbolic link names: made, and made again when it
    has gone, below `parent`."""
    if not os.path.isdir(link):
        if os.path.islink(link):
            os.unlink(link)
        os.symlink(tempfile.mkdtemp(prefix="waybill-", dir=parent), link)
    return os.path.realpath(link)


def easypost_key(prefix):
    """A key of the shape that EasyPost's have."""
    return prefix + secrets.token_hex(27)


def quote(value):
    """A value of an EnvironmentFile (systemd.exec(5))."""
    text = str(value).replace("\\", "\\\\").replace('"', '\\"')
    return '"' + text.replace("$", "\\$").replace("`", "\\`") + '"'
