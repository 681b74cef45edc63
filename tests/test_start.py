"""How a pool starts, reloads and ends, by itself: no database, no nginx."""

import contextlib
import os
import resource
import signal
import socket
import subprocess

import pytest

from env import stack as environment
from env.process import ENVIRONMENT
from failing import Failing
from fastcgi import STDIN, ask, connect, head, read_answer, record
from helpers import children, state_of, wait_until

LIMIT_S = 20
LIVE = {"REQUEST_METHOD": "GET", "REQUEST_URI": "/livez"}


class Pool:
    """One pool of one worker in a directory of its own, and what systemd would be
    for it."""

    def __init__(self, directory):
        self.directory = directory
        self.program = os.path.join(environment.ROOT, environment.default_build,
                                    "waybill-fcgi")
        self.socket = str(directory / "p.sock")
        self.log = directory / "log"
        self.conf = directory / "waybill.conf"
        (directory / "spool").mkdir(mode=0o700)
        self.conf.write_text(
            f"ENVIRONMENT=test\nWAYBILL_RUN_DIR={directory}\n"
            f"WAYBILL_SPOOL_DIR={directory}/spool\n"
            f"WAYBILL_SQL_DIR={environment.ROOT}/sql\nWORKERS=3\n"
            "WORKERS_OVERFLOW=0\n", encoding="utf-8")
        self.manager = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        self.manager.settimeout(LIMIT_S)
        self.manager.bind(str(directory / "notify"))
        self.child = None

    def start(self, *, place=None, name=None, shell=None, **variables):
        """`name` is what it takes itself for; `shell` stands before the command."""
        words = ["-c", str(self.conf), "-l", place or self.socket, "read"]
        argv = [name or self.program, *words]
        options = {"executable": self.program}
        if shell:
            argv = ["sh", "-c", shell + ' exec "$0" "$@"', *argv]
            options = {}
        with open(self.log, "ab") as log:
            self.child = subprocess.Popen(
                argv, **options, stdin=subprocess.DEVNULL, stderr=log,
                cwd=self.directory, env={
                    **ENVIRONMENT,
                    "NOTIFY_SOCKET": str(self.directory / "notify"),
                    **variables})
        return self

    def ready(self):
        self.hear("READY=1")
        return self

    def hear(self, word):
        """Waits until the manager is told so; what it was told until then."""
        heard = []
        while not heard or not heard[-1].startswith(word):
            heard.append(self.manager.recv(1000).decode())
        return heard

    def text(self):
        return self.log.read_text(encoding="utf-8")

    def says(self, word):
        wait_until(lambda: word in self.text(), LIMIT_S, word)

    def worker(self):
        return wait_until(lambda: children(self.child.pid), LIMIT_S,
                          "a worker")[0]

    def lives(self):
        return ask(self.socket, LIVE).status_code == 200

    def stop(self):
        """Its exit status."""
        self.child.terminate()
        return self.child.wait(LIMIT_S)

    def end(self):
        if self.child is not None and self.child.poll() is None:
            self.child.kill()
            self.child.wait()
        self.manager.close()


@pytest.fixture(name="pool")
def _pool(tmp_path):
    one = Pool(tmp_path)
    yield one
    one.end()


@pytest.fixture(scope="module")
def library(tmp_path_factory):
    return Failing(tmp_path_factory.mktemp("failing"),
                   environment.default_build)


@pytest.fixture(name="failing")
def _failing(library):
    yield library
    library.disarm()


@contextlib.contextmanager
def listener(path):
    with socket.socket(socket.AF_UNIX) as made:
        made.bind(path)
        made.listen(1)
        yield made


# --- where it listens ---------------------------------------------------------------


def refused(pool, reason, **options):
    pool.start(**options)
    assert pool.child.wait(LIMIT_S) == 1
    assert reason in pool.text()


def test_a_path_that_is_too_long(pool):
    place = str(pool.directory / ("x" * 100))
    refused(pool, "longer than a socket's path may be", place=place)
    assert place in pool.text()


def test_a_directory_that_is_not_there(pool):
    refused(pool, "cannot bind", place=str(pool.directory / "no" / "p.sock"))
    assert "No such file or directory" in pool.text()


def test_somebody_elses_file_is_left_alone(pool):
    place = pool.directory / "precious"
    place.write_text("data", encoding="utf-8")
    refused(pool, "there is something else", place=str(place))
    assert place.read_text(encoding="utf-8") == "data"


def test_a_socket_that_is_answered_is_left_alone(pool):
    with listener(pool.socket) as other:
        refused(pool, "another process listens there")
        with socket.socket(socket.AF_UNIX) as client:
            client.connect(pool.socket)
            other.accept()[0].close()


def test_the_socket_of_one_that_is_dead_is_replaced(pool):
    with listener(pool.socket):
        pass
    pool.start().ready()
    assert pool.lives()
    assert pool.stop() == 0
    assert not os.path.exists(pool.socket)


def test_the_socket_of_one_that_is_dead_cannot_be_removed(pool, failing):
    with listener(pool.socket):
        pass
    failing.arm("unlink", 1, "EIO")
    refused(pool, "cannot remove the old socket", **failing.environment)
    assert os.path.exists(pool.socket)


def test_what_was_handed_over_is_no_socket(pool):
    pool.start(shell='exec 3</dev/null; LISTEN_PID=$$ LISTEN_FDS=1 '
               'LISTEN_FDNAMES=waybill-own; '
               'export LISTEN_PID LISTEN_FDS LISTEN_FDNAMES;')
    assert pool.child.wait(LIMIT_S) == 1
    assert "not a listening socket" in pool.text()


@pytest.mark.parametrize("variables", [
    {"LISTEN_PID": "1", "LISTEN_FDS": "1"}, {"LISTEN_FDS": "1"},
    {"LISTEN_PID": "1"}])
def test_a_socket_for_another_process_is_not_taken(pool, variables):
    pool.start(**variables).ready()
    assert pool.lives()
    assert pool.stop() == 0


# --- reload ------------------------------------------------------------------------


def test_a_reload_keeps_process_and_socket(pool):
    """The manager hears of it; the worker is another one."""
    pool.start(WATCHDOG_USEC="60000000").ready()
    inode, worker = os.stat(pool.socket).st_ino, pool.worker()
    pool.child.send_signal(signal.SIGHUP)
    assert any(word.startswith("RELOADING=1\nMONOTONIC_USEC=")
               for word in pool.hear("READY=1"))
    assert pool.lives()
    wait_until(lambda: state_of(worker) is None, LIMIT_S, "the old one's end")
    assert os.stat(pool.socket).st_ino == inode
    assert pool.stop() == 0
    pool.hear("STOPPING=1")
    assert not os.path.exists(pool.socket)


def script(pool, text):
    """What the pool takes for its program."""
    path = pool.directory / "program"
    path.write_text("#!/bin/sh\n" + text, encoding="utf-8")
    path.chmod(0o700)
    return path


def test_a_program_that_is_gone_is_no_reason_to_stop(pool):
    path = script(pool, "exit 0\n")
    pool.start(name=str(path)).ready()
    path.unlink()
    pool.child.send_signal(signal.SIGHUP)
    pool.says("going on with the old one")
    assert str(path) in pool.text()
    assert pool.lives()
    assert pool.stop() == 0


def test_a_program_that_goes_between_test_and_reload(pool):
    """The socket stays its own, and the manager hears that it is ready."""
    path = script(pool, 'rm "$0"\n')
    pool.start(name=str(path)).ready()
    worker = pool.worker()
    pool.child.send_signal(signal.SIGHUP)
    assert any("RELOADING=1" in word for word in pool.hear("READY=1"))
    assert "No such file or directory" in pool.text()
    assert pool.lives() and pool.worker() == worker
    os.kill(worker, signal.SIGKILL)  # the next one does not inherit it twice
    wait_until(lambda: pool.worker() != worker, LIMIT_S, "another worker")
    assert pool.lives()
    assert pool.stop() == 0
    assert not os.path.exists(pool.socket)


def test_a_configuration_that_is_refused_changes_nothing(pool):
    pool.start().ready()
    worker = pool.worker()
    with open(pool.conf, "a", encoding="utf-8") as file:
        file.write("NONSENSE=1\n")
    pool.child.send_signal(signal.SIGHUP)
    pool.says("the configuration was refused")
    assert "NONSENSE" in pool.text()
    assert pool.worker() == worker and pool.lives()
    assert pool.stop() == 0


def test_no_process_for_the_test_of_a_configuration(pool, failing):
    pool.start(**failing.environment).ready()
    failing.arm("fork", 1, "EAGAIN", pool.child.pid)
    pool.child.send_signal(signal.SIGHUP)
    pool.says("supervisor.reload")
    assert failing.disarm() == 1
    assert pool.lives()
    pool.child.send_signal(signal.SIGHUP)  # now there is one
    pool.hear("READY=1")
    assert pool.stop() == 0


# --- while it runs -------------------------------------------------------------------


def test_the_watchdog_hears_of_it(pool):
    pool.start(WATCHDOG_USEC="60000").ready()
    for _ in range(3):
        pool.hear("WATCHDOG=1")
    assert pool.stop() == 0


def test_a_watchdog_of_another_process_is_not_fed(pool):
    pool.start(WATCHDOG_USEC="3000", WATCHDOG_PID="1").ready()
    assert pool.lives()
    assert pool.stop() == 0
    assert "WATCHDOG=1" not in pool.hear("STOPPING=1")


def test_no_process_for_a_worker(pool, failing):
    """It is tried again, and the pool is ready in the end."""
    failing.arm("fork", 1, "EAGAIN")
    pool.start(**failing.environment).ready()
    assert failing.disarm() == 1
    assert "worker.fork" in pool.text()
    assert pool.lives()
    assert pool.stop() == 0


def test_no_descriptor_for_a_connection(pool):
    """It is waited for; that is said once, and the client is served."""
    pool.start().ready()
    worker = pool.worker()
    before = resource.prlimit(worker, resource.RLIMIT_NOFILE)
    used = len(os.listdir(f"/proc/{worker}/fd"))
    resource.prlimit(worker, resource.RLIMIT_NOFILE, (used, before[1]))
    with connect(pool.socket) as wire:
        wire.sendall(head(LIVE) + record(STDIN))
        pool.says("Too many open files")
        resource.prlimit(worker, resource.RLIMIT_NOFILE, before)
        assert read_answer(wire)
    assert pool.text().count("Too many open files") == 1
    assert pool.lives()
    assert pool.stop() == 0


def test_who_waits_when_it_is_told_to_stop_is_answered(pool):
    """One is being answered, one waits in the backlog of a socket that is gone."""
    pool.start().ready()
    whole = head(LIVE) + record(STDIN)
    with connect(pool.socket) as first, connect(pool.socket) as second:
        first.sendall(whole[:20])
        second.sendall(whole)
        pool.child.terminate()
        pool.hear("STOPPING=1")
        wait_until(lambda: not os.path.exists(pool.socket), LIMIT_S,
                   "the end of the socket")
        first.sendall(whole[20:])
        assert read_answer(first) and read_answer(second)
    assert pool.child.wait(LIMIT_S) == 0


def test_a_socket_that_somebody_took_away(pool):
    """Then there is nothing to remove; what cannot be removed is named."""
    pool.start().ready()
    os.unlink(pool.socket)
    os.mkdir(pool.socket)
    assert pool.stop() == 0
    assert "listen.remove" in pool.text() and pool.socket in pool.text()
