"""`make run` from outside: what it prints works, and what it started ends with
it, however it ends."""

import json
import os
import pty
import re
import shlex
import signal
import socket
import subprocess
import sys

import pytest

from env.nginx import free_port
from helpers import ROOT, wait_until

SECRETS_OF_OTHERS = ("DATABASE_", "EASYPOST_", "WAYBILL_", "WORKER", "SPOOL_",
                     "PORT")


class Running:
    """run.py in a process group of its own, as a shell would start it; on a
    port that nobody else on the machine is likely to want next."""

    def __init__(self, directory, build, terminal=None, **settings):
        self.directory = str(directory)
        self.said = os.path.join(self.directory + ".out")
        clean = {name: value for name, value in os.environ.items()
                 if not name.startswith(SECRETS_OF_OTHERS)}
        words = [sys.executable, os.path.join(ROOT, "tests/env/run.py"),
                 "--directory", self.directory, "--build", build,
                 "--demo", "0"]
        if terminal is not None:
            # As below make, which waits for its children when it is told that
            # the terminal has gone, and does not tell them.
            words = ["setsid", "--ctty", "sh", "-c",
                     f"trap : HUP; {shlex.join(words)}; true"]
        with open(self.said, "ab") as said:
            self.begin = said.tell()
            self.child = subprocess.Popen(
                words, cwd=ROOT, stdin=terminal or subprocess.DEVNULL,
                stdout=said if terminal is None else terminal, stderr=said,
                process_group=None if terminal else 0,
                env={**clean, "PORT": str(free_port()), **settings})

    def text(self):
        with open(self.said, encoding="utf-8") as file:
            file.seek(self.begin)
            return file.read()

    def is_up(self):
        assert self.child.poll() is None, self.text()
        return "/health" in self.text()

    def up(self):
        wait_until(self.is_up, 60, "the end of the start")
        return self

    def remove(self):
        subprocess.run([sys.executable, os.path.join(ROOT, "tests/env/run.py"),
                        "--directory", self.directory, "--clean"], check=True)

    def stop(self, number=signal.SIGINT):
        self.child.send_signal(number)
        return self.child.wait(80)

    def curls(self):
        """The printed commands, run by a shell."""
        for line in self.text().splitlines():
            if line.startswith("  curl "):
                done = subprocess.run(line + " -w '\\n%{http_code}'",
                                      shell=True, cwd=ROOT, check=True,
                                      capture_output=True, text=True)
                body, _, status = done.stdout.rpartition("\n")
                yield shlex.split(line), int(status), json.loads(body)

    def port(self):
        return int(re.search(r"https://127\.0\.0\.1:(\d+)", self.text())[1])


def left_in(directory):
    """Processes that work in the directory, whoever their parent is."""
    found = []
    for entry in os.listdir("/proc"):
        if entry.isdigit():
            try:
                where = os.readlink(f"/proc/{entry}/cwd")
            except OSError:
                continue
            if where == directory or where.startswith(directory + "/"):
                found.append(int(entry))
    return found


def assert_nothing_left(run, port, limit_s=0.0):
    directory = os.path.realpath(run.directory)
    wait_until(lambda: not left_in(directory), limit_s, "the last process")
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        probe.bind(("127.0.0.1", port))


@pytest.fixture
def build(request):
    return request.config.getoption("--build")


@pytest.fixture
def running(tmp_path, build):
    started = []

    def start(**settings):
        one = Running(tmp_path / "run", build, **settings)
        started.append(one)
        return one

    yield start
    for one in started:
        if one.child.poll() is None:
            one.child.kill()
            one.child.wait()
        one.remove()


def test_what_it_prints_works_and_is_kept(running):
    first = running().up()
    port = first.port()
    made = set()
    for words, status, body in first.curls():
        assert status in (200, 201), (words, body)
        if status == 201:
            made.add(body.get("data", body)["id"])
    assert len(made) == 2
    key = re.search(r"wb_\S+", first.text())[0]
    assert first.stop() == 0
    assert_nothing_left(first, port)
    assert not os.path.exists(os.path.join(first.directory, "sock"))

    second = running().up()
    assert key in second.text()
    found = {words[-1].rpartition("/")[2]: body
             for words, status, body in second.curls() if status == 200}
    [newest] = made & set(found)
    assert found[newest]["data"]["easypost_id"] == newest
    assert second.stop(signal.SIGTERM) == 0
    assert_nothing_left(second, second.port())


@pytest.mark.parametrize("number", [signal.SIGHUP, signal.SIGKILL])
def test_it_takes_everything_with_it(running, number):
    """Also when nobody asks it first."""
    one = running().up()
    one.stop(number)
    assert_nothing_left(one, one.port(), 10.0)


def test_a_terminal_that_is_closed(running):
    outside, inside = pty.openpty()
    one = running(terminal=inside)
    os.close(inside)
    directory = os.path.realpath(one.directory)
    wait_until(lambda: os.path.exists(directory + "/sock/read.sock"), 60)
    os.close(outside)
    one.child.wait(80)
    assert left_in(directory) == []


def test_interrupted_at_its_start(running):
    one = running()
    wait_until(lambda: "workers" in one.text(), 60, "the workers' turn")
    one.stop()
    assert left_in(os.path.realpath(one.directory)) == []


def test_another_database_and_another_easypost(running, stack):
    """What is configured is used; nothing of our own is started."""
    stack.postgres.make_database("of_somebody")
    one = running(
        DATABASE_URL=stack.postgres.operator_url("of_somebody"),
        EASYPOST_TEST_API_KEY=stack.settings["EASYPOST_TEST_API_KEY"],
        EASYPOST_API_BASE=stack.sim.base).up()
    assert [status for _, status, _ in one.curls()] == [201, 201, 200, 200]
    assert sorted(os.listdir(one.directory)) == [
        "backup", "lock", "log", "nginx", "sock", "spool", "state.json",
        "tls", "waybill.conf"]
    assert one.stop() == 0


def test_without_a_database(running):
    one = running(DATABASE_URL="")
    wait_until(lambda: "  curl " in one.text(), 60, "the end of the start")
    (_, status, body), = one.curls()
    assert (status, body["object"]) == (201, "Shipment")
    assert "wb_" not in one.text()
    assert one.stop() == 0


def test_only_one_at_a_time(running):
    one = running().up()
    other = running()
    assert other.child.wait(20) == 1
    assert "another make run" in other.text()
    assert one.stop() == 0


def test_a_bad_setting_is_named(running):
    one = running(WORKERS="2")
    assert one.child.wait(60) == 1
    assert "WORKERS" in one.text()
    assert left_in(os.path.realpath(one.directory)) == []


@pytest.mark.parametrize("port", ["abc", "0", "65536", "-1", "80 "])
def test_a_port_that_is_none(running, port):
    one = running(PORT=port)
    assert one.child.wait(60) == 1
    assert f"PORT={port} is no port" in one.text()
    assert "Traceback" not in one.text()


# A port that nobody serves, and a key for one mode only.
UNREACHABLE = {"EASYPOST_API_BASE": "https://127.0.0.1:1"}


@pytest.mark.parametrize(("key", "mode"), [
    ("EZAK" + "0" * 54, "production"), ("EZTK" + "0" * 54, "test")])
def test_the_real_easypost_is_away(running, key, mode):
    """What is printed uses the mode that there is a key for."""
    one = running(EASYPOST_API_KEY=key, **UNREACHABLE).up()
    assert re.findall(r"\((\w+) mode\)", one.text()) == [mode]
    answers = [(status, body) for _, status, body in one.curls()]
    for status, body in answers[:-2]:
        assert (status, body["error"]["code"]) == (502, "UPSTREAM.UNREACHABLE")
    assert len(answers) == (4 if mode == "test" else 3)
    assert [status for status, _ in answers[-2:]] == [200, 200]
    assert key not in one.text()
    assert one.stop() == 0


def test_secrets_in_files(running, tmp_path):
    file = tmp_path / "key"
    file.write_text("EZTK" + "0" * 54 + "\n", encoding="ascii")
    one = running(EASYPOST_TEST_API_KEY_FILE=str(file), **UNREACHABLE).up()
    assert "127.0.0.1:1\n" in one.text()
    assert one.stop() == 0
    file.unlink()
    gone = running(EASYPOST_TEST_API_KEY_FILE=str(file))
    assert gone.child.wait(60) == 1
    assert str(file) in gone.text()


def test_a_chosen_port_that_is_taken(running):
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        one = running(PORT=str(port))
        assert one.child.wait(60) == 1
        assert str(port) in one.text()


def test_the_next_free_port(running):
    """Nobody chose one, and somebody has the first."""
    first = free_port(8443)
    with socket.create_server(("127.0.0.1", first)):
        one = running(PORT="").up()
        assert first < one.port() < first + 100
        assert one.stop() == 0
