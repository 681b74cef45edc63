"""Too few files and too little memory: requests wait or are told, processes go
on, and all is well when there is enough again."""

import concurrent.futures
import contextlib
import os
import resource

import pytest

import documents
from env.stack import Stack
from helpers import (Client, assert_error, deliver, parallel, reload_pool,
                     supervisor_pid, wait_until, workers)
from test_simple import TO

POOLS = ("read", "webhook", "upstream")


@pytest.fixture(scope="module")
def own(tmp_path_factory):
    with Stack(tmp_path_factory.mktemp("limits"), conf={
            "WORKERS": "6", "WORKERS_OVERFLOW": "0"}) as one:
        yield one


def ask(own, pool):
    client = Client(own, own.key)
    if pool == "read":
        return client.get("/db/shipments?limit=1")
    if pool == "webhook":
        return deliver(client, documents.event("tracker.updated",
                                               documents.tracker()))
    return client.get("/v2/addresses?page_size=1")


def waits_for_requests(pid):
    """And so holds none of the last one; kernels name the place differently."""
    with open(f"/proc/{pid}/wchan", encoding="ascii") as file:
        return file.read() in {"ep_poll", "do_epoll_wait"}


@contextlib.contextmanager
def limited(pids, kind, limit_of):
    """prlimit(2), there and back."""
    before = {pid: resource.prlimit(pid, kind) for pid in pids}
    for pid in pids:
        resource.prlimit(pid, kind, (limit_of(pid), before[pid][1]))
    try:
        yield
    finally:
        for pid in pids:
            with contextlib.suppress(ProcessLookupError):
                resource.prlimit(pid, kind, before[pid])


def no_more_files(pid):
    """The lowest number that is free is the first that may not be had."""
    wait_until(lambda: waits_for_requests(pid), 5, "an idle worker")
    used = {int(name) for name in os.listdir(f"/proc/{pid}/fd")}
    return next(number for number in range(1024) if number not in used)


def lines(own, pool, place, what):
    return own.logs(place)[pool + ".log"].decode().count(what)


@pytest.mark.parametrize("pool", POOLS)
def test_without_a_file_to_open_requests_wait(own, pool):
    """Said once by each worker; nobody gives up, and nobody ends."""
    assert ask(own, pool).status_code == 200
    pids, place = workers(own, pool), own.log_sizes()
    with concurrent.futures.ThreadPoolExecutor(4) as threads:
        with limited(pids, resource.RLIMIT_NOFILE, no_more_files):
            asked = [threads.submit(ask, own, pool) for _ in range(4)]
            wait_until(lambda: lines(own, pool, place, "Too many open files"),
                       5, "the worker that cannot accept")
            assert not any(one.done() for one in asked)
        assert [one.result().status_code for one in asked] == [200] * 4
    assert lines(own, pool, place, "Too many open files") <= len(pids)
    assert workers(own, pool) == pids


def test_without_a_file_for_easypost_it_is_told(own):
    client, pids = Client(own, own.key), workers(own, "upstream")
    with limited(pids, resource.RLIMIT_NOFILE,
                 lambda pid: no_more_files(pid) + 1):
        got = client.post("/v2/shipments/shp_1/buy", document={})
        assert_error(got, 502, "UPSTREAM.UNREACHABLE", easypost=True)
    assert client.post("/v2/addresses",
                       document={"address": TO}).status_code == 201
    assert workers(own, "upstream") == pids


def test_with_little_memory_what_is_large_is_refused(own):
    """128 MB of addresses: everybody's requests are answered, a worker that had
    not enough is replaced, and nothing is said to be kept that is not."""
    if "asan" in own.build:
        pytest.skip("its own memory takes terabytes of addresses")
    client = Client(own, own.key, timeout=60)
    large = b'{"shipment":{"reference":"' + b"x" * 10_000_000 + b'"}}'
    with limited([supervisor_pid(own, pool) for pool in POOLS],
                 resource.RLIMIT_AS, lambda _: 128 << 20):
        for pool in POOLS:
            reload_pool(own, pool)
        for got in parallel(6, lambda number: client.post(
                "/v2/shipments" if number % 2 else "/db/shipments", data=large,
                headers={"Content-Type": "application/json"})):
            assert got.status_code in (400, 413, 422, 500, 502, 503), got.text
            assert got.json()["error"]["code"]
        for pool in POOLS:
            wait_until(lambda pool=pool: ask(own, pool).status_code == 200, 10,
                       "requests of the usual size")
    for pool in POOLS:
        reload_pool(own, pool)
        assert ask(own, pool).status_code == 200
