"""Fixtures on top of `stack`: one client, one look into the database."""

import os

import pytest

import contract
import traces
from env import stack as environment
from env.stack import Stack
from helpers import Client, Database, Simulator


@pytest.fixture(autouse=True)
def contract_kept():
    """Every answer that a test got is one that the contract has."""
    yield
    wrong = contract.take_wrong()
    assert not wrong, "\n".join(wrong[:10])


@pytest.fixture
def client(stack):
    """The session's key: test mode, every scope."""
    return Client(stack, stack.key)


@pytest.fixture
def nobody(stack):
    """Somebody without a key."""
    return Client(stack)


@pytest.fixture(scope="session")
def db(stack):
    found = Database(stack.database_url, stack)
    yield found
    found.close()


@pytest.fixture(scope="session")
def sim(stack):
    return simulator(stack)


def simulator(stack):
    return Simulator(stack.sim.base, getattr(stack.sim, "ca", None) or True)


@pytest.fixture
def same_webhooks(client):
    """Whom EasyPost tells of events stays as it is: it would go on and try those
    whom a test has named, before all others that it has to tell."""
    def ids():
        return {one["id"]
                for one in client.get("/v2/webhooks").json()["webhooks"]}

    before = ids()
    yield
    for one in ids() - before:
        assert client("DELETE", f"/v2/webhooks/{one}").status_code < 300
    assert ids() == before


@pytest.fixture(scope="session")
def odd_stack(tmp_path_factory):
    """A stack whose settings the tests may change, a few workers only."""
    folder = tmp_path_factory.mktemp("odd")
    with Stack(folder, conf={"WORKERS": "6", "WORKERS_OVERFLOW": "0"}) as one:
        yield one
        environment.troubles.extend(traces.of(one))


@pytest.fixture(scope="session")
def corpus():
    """The folder with EasyPost's recorded traffic, where it is present."""
    named = os.environ.get("EASYPOST_CORPUS")
    beside = os.path.join(os.path.dirname(os.path.dirname(os.path.dirname(
        os.path.abspath(__file__)))), "shared", "easypost", "corpus")
    folder = named or beside
    if not os.path.isdir(folder):
        pytest.skip("no recorded traffic here: set EASYPOST_CORPUS")
    return folder
