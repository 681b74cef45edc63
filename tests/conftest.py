"""The stack as fixtures, and what makes a whole run fail.

    /usr/bin/python3 -m pytest tests [--build build-asan]

Every log of a failed test is printed with it; a sanitizer's report, a panic or
a process that is left makes the run fail wherever it came from.
"""

import os
import shutil
import tempfile

import pytest

import contract
import documents
import traces
from env import postgres, stack as environment
from fixtures import *  # noqa: F401,F403: the tests' own
from helpers import Client, deliver, wait_until

SHARED = pytest.StashKey()  # the stack that most tests share, once it runs

LOG_BYTES_MAX = 20000  # of one log in one report: the end tells most


def pytest_addoption(parser):
    parser.addoption("--build", default="build", metavar="DIR",
                     help="where the programs are: build or build-asan")


def pytest_configure(config):
    environment.use_build(config.getoption("--build"))
    environment.observers.append(contract.look)
    contract.observers.append(traces.look)
    postgres.models = tempfile.mkdtemp(prefix="waybill-models-")


def pytest_unconfigure():
    shutil.rmtree(postgres.models, ignore_errors=True)


@pytest.fixture(scope="session")
def stack(request, tmp_path_factory):
    """The stack that most tests share."""
    with environment.Stack(tmp_path_factory.mktemp("stack")) as one:
        request.session.stash[SHARED] = one
        yield one
        environment.troubles.extend(traces.of(one))


@pytest.fixture(scope="module", autouse=True)
def closed_breakers(request):
    """Tests that let the shared database hang leave breakers open, and the first
    record of whoever comes next would go to the spool."""
    yield
    shared = request.session.stash.get(SHARED, None)
    if shared not in environment.running:
        return
    client = Client(shared, shared.key)
    calls = {"webhook": lambda: deliver(client, documents.event(
        "tracker.updated", documents.tracker())),
        "upstream": lambda: client.get("/v2/addresses?page_size=1")}

    def are_closed():
        text = client.get("/metrics").text
        opened = [pool for pool in calls if
                  f'waybill_pool_breaker_open{{pool="{pool}"}} 1' in text]
        for pool in opened:
            calls[pool]()
        return not opened

    wait_until(are_closed, 30, "closed breakers")


@pytest.fixture
def make_stack(tmp_path):
    """A function that starts a stack of the test's own: make_stack(conf=...)."""
    made = []

    def make(**options):
        one = environment.Stack(tmp_path / f"stack{len(made)}", **options)
        made.append(one)
        return one.start()

    yield make
    for one in reversed(made):
        if one in environment.running:
            one.stop()
        one.remove_database()


# --- the logs of what failed ---------------------------------------------------


@pytest.hookimpl(hookwrapper=True)
def pytest_runtest_protocol(item):
    item.log_sizes = {}
    for one in environment.running:
        item.log_sizes.update(one.log_sizes())
    yield


@pytest.hookimpl(hookwrapper=True)
def pytest_runtest_makereport(item, call):
    outcome = yield
    report = outcome.get_result()
    if not report.failed:
        return
    for one in environment.running:
        for name, text in one.logs(item.log_sizes).items():
            if text:
                report.sections.append((
                    f"{os.path.basename(one.directory)}/{name}",
                    text[-LOG_BYTES_MAX:].decode("utf-8", "replace")))


# --- what no log may hold, and what no test saw ------------------------------------


def is_whole(session):
    """Whether all tests ran, and passed: then all of the contract was seen."""
    config = session.config
    options = config.option
    return (session.exitstatus == 0
            and [os.path.abspath(word) for word in config.args]
            == [os.path.dirname(os.path.abspath(__file__))]
            and not (options.keyword or options.markexpr or options.deselect
                     or options.collectonly
                     or getattr(options, "lf", False)))


@pytest.hookimpl(trylast=True)
def pytest_sessionfinish(session):
    """With pytest-xdist each worker judges its own stacks and tells."""
    seen = contract.contract().seen
    if hasattr(session.config, "workeroutput"):
        session.config.workeroutput["troubles"] = environment.troubles
        session.config.workeroutput["seen"] = sorted(seen)
    elif is_whole(session):
        environment.troubles.extend(
            f"in the contract, and seen by no test: {key}"
            for key in contract.unseen(seen))
    if environment.troubles and session.exitstatus == 0:
        session.exitstatus = pytest.ExitCode.TESTS_FAILED


@pytest.hookimpl(optionalhook=True)
def pytest_testnodedown(node):
    output = getattr(node, "workeroutput", {})
    environment.troubles.extend(output.get("troubles", []))
    contract.contract().seen.update(output.get("seen", []))


def pytest_terminal_summary(terminalreporter):
    if environment.troubles:
        terminalreporter.section("what no run may leave", red=True)
        for line in environment.troubles[:50]:
            terminalreporter.line(line)
