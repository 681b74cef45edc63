"""What the tests of `waybill check` share: a stack of theirs, and what it printed."""

import os
import re
import subprocess
import time

import pytest

from env.process import ENVIRONMENT
from env.stack import Stack
from helpers import Database

# What a test is not about is left out: it costs time.
NO_KEYS = {"EASYPOST_API_KEY": "", "EASYPOST_TEST_API_KEY": ""}
NO_DATABASE = {"DATABASE_URL": ""}
ALONE = {**NO_KEYS, **NO_DATABASE}


@pytest.fixture(scope="module")
def own(tmp_path_factory):
    """A stack that has been at work: refreshed, reconciled and backed up."""
    with Stack(tmp_path_factory.mktemp("check"), conf={
            "WORKERS": "3", "WORKERS_OVERFLOW": "0"}, postgres_settings={
                "archive_mode": "on", "archive_command": "test ! -e broken",
                "archive_timeout": "0",
                # An address of its own; its port is that of the socket.
                "listen_addresses": "127." + ".".join(
                    str(1 + byte % 254) for byte in os.urandom(3))}) as one:
        succeed(one, "full", days=6)
        succeed(one, "diff", days=0)
        one.waybill("refresh")
        one.psql("select admin.begin_ledger('test', 'shipment', current_date); "
                 "select admin.end_ledger('test', 'shipment', current_date, "
                 "null)")
        yield one


@pytest.fixture(scope="module")
def own_db(own):
    found = Database(own.database_url)
    yield found
    found.close()


def succeed(one, kind, days):
    """What the service of the backup leaves when it has succeeded."""
    path = os.path.join(one.backup_dir, kind)
    with open(path, "w", encoding="ascii"):
        os.utime(path, (time.time() - 86400 * days,) * 2)


class Found:
    """What `waybill check` printed: of each check its state, text and cure."""

    def __init__(self, status, out):
        self.status = status
        self.out = out
        self.lines = {}
        name = None
        for line in out.splitlines():
            seen = re.match(r"(ok|warn|FAIL|skip) {2,4}(.{18})  (.*)", line)
            if seen:
                name = seen[2].strip()
                self.lines[name] = [seen[1], seen[3], None]
            elif line.startswith(" " * 26 + "-> "):
                self.lines[name][2] = line[29:]

    def __getitem__(self, name):
        return self.lines[name]

    def states(self, state):
        return sorted(name for name, line in self.lines.items()
                      if line[0] == state)

    def fails(self, name, text, cure):
        """This check alone has failed, with this text and cure."""
        self.tells(name, "FAIL", text, cure)
        assert self.states("FAIL") == [name], self.out
        assert self.status == 1

    def warns(self, name, text, cure):
        self.tells(name, "warn", text, cure)
        assert self.status == 0, self.out

    def tells(self, name, state, text, cure):
        line = self.lines[name]
        assert line[0] == state, self.out
        assert re.search(text, line[1]), line
        assert cure is None or (line[2] and cure in line[2]), line


def check_with_systemctl(one, script, folder, **environment):
    """`waybill check` where a script of sh is systemctl; only root mounts."""
    systemctl = folder / "systemctl"
    systemctl.write_text("#!/bin/sh\n" + script)
    systemctl.chmod(0o755)
    folder.chmod(0o755)
    done = subprocess.run(
        ["unshare", "--mount", "sh", "-euc",
         'mount --bind "$0" /usr/bin/systemctl; exec "$@"', systemctl,
         one.service.program("waybill"), "-c", one.conf_file, "check"],
        capture_output=True, text=True, check=False, timeout=40, cwd="/",
        env={**ENVIRONMENT, **NO_KEYS, **environment})
    return Found(done.returncode, done.stdout)


def run(one, *words, conf_file=None, user=None, program=None, **environment):
    return subprocess.run(
        [program or one.service.program("waybill"), "-c",
         conf_file or one.conf_file, *words],
        capture_output=True, text=True, check=False, timeout=40, user=user,
        group=user, cwd="/",
        env={**ENVIRONMENT, **environment})


def check(one, *words, **more):
    done = run(one, "check", "--nginx", one.nginx.conf, *words, **more)
    assert done.stderr == "", done.stderr
    assert done.returncode in (0, 1)
    return Found(done.returncode, done.stdout)
