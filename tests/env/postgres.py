"""A private PostgreSQL cluster: nothing but a socket in a directory.

Run by root, the server belongs to the user "postgres", as PostgreSQL demands;
then its directory must be one that this user can reach.
"""

import glob
import os
import pwd
import re
import shutil
import signal
import subprocess
import urllib.parse

from env.process import Failed, Process, as_user, run
from env.wait import wait_until

PORT = 5432  # only the name of the socket's file
OWNER = "postgres"
DATABASE = "waybill"
OPERATOR = "waybill_operator"  # migrates and makes keys: owns the database
ROLE = "waybill"  # what the services connect as: may do what they do, no more

# A directory for clusters of which the next ones are copies: making one anew and
# migrating it takes seconds.  None: each is made anew.
models = None


def programs():
    """The directory of the newest installed server's programs."""
    found = [os.path.dirname(path)
             for path in glob.glob("/usr/lib/postgresql/*/bin/initdb")]
    if not found:
        raise Failed("no PostgreSQL server is installed")
    return max(found, key=lambda path: int(re.sub(r"\D", "", path) or 0))


class Postgres:
    """One cluster in `directory`, its socket in `socket_dir`."""

    def __init__(self, directory, socket_dir, log, *, fsync=True,
                 settings=None):
        self.directory = directory
        self.socket_dir = socket_dir
        self.log = log
        self.settings = {
            "listen_addresses": "",
            "unix_socket_directories": socket_dir,
            "max_connections": "120",
            "shared_buffers": "64MB",
            "timezone": "UTC",
            "log_timezone": "UTC",
            "logging_collector": "off",
            "log_line_prefix": "%m [%p] %q%u %a ",
            "fsync": "on" if fsync else "off",
            **(settings or {}),
        }
        self.user = OWNER if os.geteuid() == 0 else None
        self.superuser = OWNER
        self.programs = programs()
        self.process = None

    # --- life -------------------------------------------------------------

    def make(self, like=None):
        """Makes the cluster unless it is there already.  True when it was copied
        from the model of this name."""
        self._own(self.socket_dir)
        if os.path.exists(os.path.join(self.directory, "PG_VERSION")):
            return False
        shutil.rmtree(self.directory, ignore_errors=True)
        self._own(self.directory)
        model = like and models and os.path.join(models, like)
        if model and os.path.exists(model):
            run(["cp", "-a", f"{model}/.", self.directory], directory="/")
            return True
        run([f"{self.programs}/initdb", "-D", self.directory, "-U",
             self.superuser, "-A", "trust", "-E", "UTF8", "--locale=C.UTF-8",
             "--no-sync", "--no-instructions"],
            directory=self.directory, user=self.user)
        return False

    def keep_as(self, name):
        """What there is now becomes the model of this name."""
        if not models:
            return
        self.stop()
        run(["cp", "-a", self.directory, os.path.join(models, name)],
            directory="/")
        self.start()

    def start(self):
        wait_until(lambda: not self.has_predecessor(), 60.0,
                   f"the end of the server before us in {self.directory}")
        words = [f"{self.programs}/postgres", "-D", self.directory]
        for name, value in self.settings.items():
            words += ["-c", f"{name}={value}"]
        # SIGINT: a fast stop, which ends the sessions of others.
        self.process = Process("postgres", words, log=self.log,
                               directory=self.directory, user=self.user,
                               parent_death=signal.SIGINT).start()
        self.process.ready(self.is_ready)
        return self

    def stop(self):
        """A fast stop; true when it was running."""
        if self.process is None or not self.process.is_running():
            return False
        self.process.stop(signal.SIGINT)
        return True

    def crash(self):
        """An immediate stop, as after a power cut: recovery follows."""
        self.process.stop(signal.SIGQUIT)

    def freeze(self):
        """Every process of the server stands still and answers nobody."""
        os.kill(self.process.pid, signal.SIGSTOP)  # has no more children now
        self._tell_all(signal.SIGSTOP)

    def thaw(self):
        self._tell_all(signal.SIGCONT)

    def _tell_all(self, number):
        for pid in self.pids():
            try:
                os.kill(pid, number)
            except ProcessLookupError:  # a session that has just ended
                pass

    def pids(self):
        """The postmaster and its children."""
        with open(f"/proc/{self.process.pid}/task/{self.process.pid}/children",
                  encoding="ascii") as file:
            return [self.process.pid] + [int(word)
                                         for word in file.read().split()]

    def has_predecessor(self):
        """Whether a server that was left by a killed run is still stopping."""
        try:
            with open(os.path.join(self.directory, "postmaster.pid"),
                      encoding="ascii") as file:
                pid = int(file.readline())
            return os.path.samefile(f"/proc/{pid}/cwd", self.directory)
        except (OSError, ValueError):
            return False

    def is_ready(self):
        asked = subprocess.run(
            [f"{self.programs}/pg_isready", "-q", "-U", self.superuser,
             "-h", self.socket_dir, "-p", str(PORT)], check=False)
        return asked.returncode == 0

    # --- use --------------------------------------------------------------

    def url(self, database=DATABASE, role=ROLE):
        """A connection URI for libpq."""
        where = urllib.parse.quote(self.socket_dir, safe="")
        return f"postgresql://{role}@{where}:{PORT}/{database}"

    def operator_url(self, database=DATABASE):
        return self.url(database, OPERATOR)

    def admin_url(self, database=DATABASE):
        return self.url(database, self.superuser)

    def make_database(self, database=DATABASE):
        """The two roles and an empty database of the operator's."""
        sql = f"""
            select 'create role {OPERATOR} login createrole'
            where to_regrole('{OPERATOR}') is null
            \\gexec
            select 'create role {ROLE} login'
            where to_regrole('{ROLE}') is null
            \\gexec
            select 'create database "{database}" owner {OPERATOR}'
            where not exists
                (select from pg_database where datname = '{database}')
            \\gexec
        """
        self.psql(sql, "postgres")

    def grant_service_rights(self):
        """As the README tells an operator to do it, after the first migration
        has made the group roles."""
        self.psql(f"grant waybill_worker, waybill_jobs to {ROLE}")

    def psql(self, sql, database=DATABASE):
        """Runs a script as the superuser; its rows as text."""
        return run([f"{self.programs}/psql", "-XqAt", "-v", "ON_ERROR_STOP=1",
                    "-d", self.admin_url(database), "-f", "-"],
                   directory="/", stdin=sql.encode())

    def _own(self, directory):
        os.makedirs(directory, mode=0o700, exist_ok=True)
        os.chmod(directory, 0o700)
        if self.user:
            entry = pwd.getpwnam(self.user)
            os.chown(directory, entry.pw_uid, entry.pw_gid)


def can_reach(directory):
    """Whether the server's user could have its files in the directory."""
    if os.geteuid() != 0:
        return True
    asked = subprocess.run(["test", "-x", directory], check=False,
                           cwd="/", **as_user(OWNER))
    return asked.returncode == 0
