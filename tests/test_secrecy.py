"""Processes that hold keys: who may look into them, and what they leave behind; and
keys where they do not belong."""

import os
import pwd
import re
import resource
import shutil
import signal
import subprocess
import tempfile

import pytest

from env.process import ENVIRONMENT
from helpers import ROOT, assert_error, children, send, wait_until

SECRET = "whsec-that-nobody-sees-4711"
# Somebody without rights, whose processes ours then are.
USER = pwd.getpwnam("nobody") if os.geteuid() == 0 else None


@pytest.fixture
def place(request):
    """A directory that the user can use, with the programs."""
    folder = tempfile.mkdtemp(prefix="waybill-secrecy-", dir="/var/tmp")
    build = os.path.join(ROOT, request.config.getoption("--build"))
    for name in ("waybill", "waybill-fcgi"):
        shutil.copy(os.path.join(build, name), folder)
    if USER:
        os.chown(folder, USER.pw_uid, USER.pw_gid)
    yield folder
    shutil.rmtree(folder)


def start(folder, kind, words):
    """The program by this name, which may dump as large a core as it likes."""
    program = os.path.join(folder, words[0])
    as_user = {"user": USER.pw_uid, "group": USER.pw_gid} if USER else {}
    return subprocess.Popen(
        [program, "-c", "/dev/null", *words[1:]], cwd=folder, **as_user,
        stderr=subprocess.DEVNULL, env={
            **ENVIRONMENT, "ENVIRONMENT": kind, "WAYBILL_RUN_DIR": folder,
            "WAYBILL_SPOOL_DIR": folder, "WORKERS": "3",
            "EASYPOST_WEBHOOK_SECRET": SECRET},
        preexec_fn=lambda: resource.setrlimit(resource.RLIMIT_CORE, (
            resource.RLIM_INFINITY, resource.RLIM_INFINITY)))


def owner(pid):
    """Whose the kernel says that a process's memory is."""
    return os.stat(f"/proc/{pid}/environ").st_uid


def may_read(pid, name):
    """Whether another process of its user may read this of it."""
    as_user = {"user": USER.pw_uid, "group": USER.pw_gid} if USER else {}
    return subprocess.run(["head", "-c0", f"/proc/{pid}/{name}"], check=False,
                          capture_output=True, **as_user).returncode == 0


PROGRAMS = [["waybill-fcgi", "-l", "own.sock", "webhook"], ["waybill", "jobs"]]


@pytest.mark.parametrize("words", PROGRAMS, ids=["pool", "jobs"])
def test_nobody_looks_into_a_service_and_no_core_is_left(place, words):
    """Not even its own user, whom all of the services share."""
    child = start(place, "production", words)
    try:
        wait_until(lambda: owner(child.pid) == 0, 10, "a closed process")
        pids = [child.pid]
        if words[0] == "waybill-fcgi":
            pids += wait_until(lambda: children(child.pid), 10, "a worker")
        for pid in pids:
            for name in ("environ", "mem", "maps", "fd/0"):
                assert not may_read(pid, name), (pid, name)
        for pid in reversed(pids[1:]):
            os.kill(pid, signal.SIGABRT)
        os.kill(child.pid, signal.SIGABRT)
        _, status = os.waitpid(child.pid, 0)
        child.returncode = -os.WTERMSIG(status)
        assert os.WTERMSIG(status) == signal.SIGABRT
        assert not os.WCOREDUMP(status)
        assert not [name for name in os.listdir(place)
                    if re.match("core", name)]
    finally:
        if child.returncode is None:
            child.kill()
            child.wait(10)


def test_developers_may_look(place):
    """Or the test above would prove nothing."""
    child = start(place, "development", PROGRAMS[1])
    try:
        wait_until(lambda: may_read(child.pid, "environ"), 10, "its start")
        assert owner(child.pid) == (USER.pw_uid if USER else os.geteuid())
    finally:
        child.terminate()
        child.wait(20)


# --- keys in URLs ---------------------------------------------------------------------


@pytest.mark.parametrize("target", [
    "/v2/shipments?api_key={}", "/db/shipments?reference={}", "/{}", "/docs/{}",
    "/webhooks/easypost?{}", "/dashboard/?key=x{}x"])
def test_a_key_in_a_url_is_refused_and_in_no_log(stack, target):
    """Of a body that does not stay in memory the error log has a line, and in it
    that of the request."""
    for key in (stack.key, stack.settings["EASYPOST_API_KEY"]):
        before = stack.log_sizes()
        got = send(stack, "POST", target.format(key), {
            "Authorization": f"Bearer {stack.key}"}, b"x" * 100_000)
        error = assert_error(got, 400, "REQUEST.MALFORMED")
        assert "Authorization header" in error["message"]
        assert key not in got.text
        logs = wait_until(lambda got=got, before=before: with_line(
            stack.logs(before), got.headers["X-Request-Id"]), 5, "its line")
        for name, text in logs.items():
            assert key.encode() not in text, name


def with_line(logs, request_id):
    return logs if request_id.encode() in logs["waybill.access.log"] else None


def test_the_page_of_an_error_is_nobodys_way_around(stack):
    assert_error(send(stack, "GET", f"/.e/400?{stack.key}"), 404)


def test_what_only_begins_as_a_key_is_none(stack, client):
    for word in ("wb_order_20240101", "EZAK", stack.key[:45],
                 stack.settings["EASYPOST_API_KEY"][:57]):
        got = client.get("/db/shipments?reference=" + word)
        assert got.status_code == 200, got.text
