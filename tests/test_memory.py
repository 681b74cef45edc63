"""How much memory the largest requests take, beside what the units allow."""

import re

import pytest

import documents
from helpers import Client, changed_settings, compact, deliver, workers
from test_proxy import listening
from test_units import pool_table

MIB = 1 << 20


def peak_mib(pid):
    """The most that it ever had for itself."""
    with open(f"/proc/{pid}/status", encoding="ascii") as file:
        kb = {name: int(value) for name, value in re.findall(
            r"^(\w+):\s+(\d+) kB$", file.read(), re.M)}
    return (kb["VmHWM"] - kb["RssFile"] - kb["RssShmem"]) / 1024


def ask_upstream(stack, client):
    body = compact({"padding": "x" * (31 * MIB)})
    head = (b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\n"
            b"Content-Length: %d\r\n\r\n" % len(body))
    sent = b"y" * (10 * MIB)

    def answer(plain):
        got = bytearray()
        while len(got) < got.find(b"\r\n\r\n") + 4 + len(sent):
            part = plain.recv(MIB)
            assert part, "all of the request"
            got += part
        plain.sendall(head + body)

    with listening(answer) as server:
        with changed_settings(stack, ["upstream"], {
                "EASYPOST_API_BASE": f"http://127.0.0.1:{server.port}"}):
            got = client.post("/v2/shipments", data=sent)
            assert (got.status_code, len(got.content)) == (200, len(body))
            yield


def ask_webhook(_, client):
    event = documents.event("wombat.born", {"padding": "x" * (2 * MIB - 1000)})
    assert deliver(client, event).status_code == 200
    yield


def ask_read(_, client):
    """The values take most: refused, because no shipment can be found by it."""
    got = client.post("/db/shipments", data=compact({"extra_metadata": {
        "pad": "x" * (9 * MIB), "values": [[] for _ in range(120_000)]}}),
        headers={"Content-Type": "application/json"})
    assert got.status_code == 422
    yield


@pytest.mark.parametrize("pool, ask", [
    ("upstream", ask_upstream), ("webhook", ask_webhook), ("read", ask_read)])
def test_the_largest_request_stays_below_what_is_counted_on(
        odd_stack, pool, ask):
    """The units allow each worker so much: test_units.py."""
    if "asan" in odd_stack.build:
        pytest.skip("sanitizers take memory of their own")
    _, most_mib = pool_table()[pool]
    client = Client(odd_stack, odd_stack.key, timeout=50)
    for _ in ask(odd_stack, client):
        peak = max(map(peak_mib, workers(odd_stack, pool)))
        assert peak <= 0.9 * most_mib, f"{peak:.1f} MiB"
