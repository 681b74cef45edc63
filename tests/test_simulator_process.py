"""The simulator as a process: seeds, TLS, restarts, speed; and the demo.

Its own state file, its certificate and its port are made anew for each test.
"""

import http.client
import os
import re
import ssl
import subprocess
import sys
import time

import pytest

from simulated import (  # noqa: F401
    FROM, PROGRAM, TEST_KEY, Api, api, finish, port, receiver, start, wait_until)

# -- the process ---------------------------------------------------------------


def test_the_same_seed_tells_the_same_story(tmp_path):
    def story():
        process, number = start(str(tmp_path), "--seed", "42", "--list-limit", "0")
        try:
            api = Api(number)
            api.sim("/clock", {"now": "2026-03-02T15:00:00Z", "step": 5})
            made = [api.bought()["id"] for _ in range(5)]
            api.sim("/clock", {"now": "2026-03-20T15:00:00Z"})
            return [api.get(f"/v2/shipments/{one}").body for one in made] \
                + [one["body"] for one in api.sim("/events")]
        finally:
            finish(process)
    assert story() == story()


def certificate(folder):
    pair = [str(folder / "cert.pem"), str(folder / "key.pem")]
    subprocess.run(
        ["openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "2",
         "-subj", "/CN=localhost", "-addext", "subjectAltName=IP:127.0.0.1",
         "-out", pair[0], "-keyout", pair[1]], check=True, capture_output=True)
    return pair


def test_tls_and_bad_tls(tmp_path):
    cert, key = certificate(tmp_path)
    plain_port = tmp_path / "control"
    process, number = start(str(tmp_path), "--tls-cert", cert, "--tls-key", key,
                            "--control-port-file", str(plain_port))
    try:
        wait_until(plain_port.exists)
        control = Api(int(plain_port.read_text()))
        context = ssl.create_default_context(cafile=cert)

        def connect():
            api = Api(number)
            api.connection = http.client.HTTPSConnection("127.0.0.1", number, timeout=10,
                                                         context=context)
            return api

        api = connect()
        big = api.bought(options={"label_inline_bytes": 1 << 20})
        assert len(big["postage_label"]["label_file"]) > 1_000_000
        control.sim("/fault", {"kind": "bad_tls", "times": 1})
        with pytest.raises(OSError):
            connect().get("/v2/users")
        assert connect().get("/v2/users").status == 200
    finally:
        finish(process)


def test_it_is_fast(api):
    """The gateway's own time is measured against this: it must not be felt."""
    key = api.post("/v2/addresses", {"address": FROM}).json["id"]
    best = []
    for _ in range(3):
        times = []
        for _ in range(300):
            began = time.perf_counter()
            api.get(f"/v2/addresses/{key}")
            times.append(time.perf_counter() - began)
        best.append(sorted(times)[150])
    assert min(best) < 0.001


def test_a_restart_forgets_nothing(tmp_path):
    state = str(tmp_path / "state")
    process, number = start(str(tmp_path), "--state", state)
    api = Api(number)
    bought, event = api.bought(), api.sim("/events")[0]
    extra = api.post("/v2/api_keys", {"mode": "test"}).json["key"]
    finish(process)
    process, number = start(str(tmp_path), "--state", state)
    try:
        api = Api(number, extra)
        assert api.get(f"/v2/shipments/{bought['id']}").json == bought
        assert api.sim("/events")[0] == event
        api.sim("/clock", {"now": "2036-01-01T00:00:00Z"})
        ended = api.get(f"/v2/trackers/{bought['tracker']['id']}").json
        assert ended["finalized"], "the life goes on"
        assert api.shipment()["id"] != bought["id"]
    finally:
        finish(process)


def test_what_was_not_delivered_is_delivered_after_a_restart(tmp_path, receiver):
    options = ["--state", str(tmp_path / "state"), "--webhook-secret", "s",
               "--webhook-url"]
    process, number = start(str(tmp_path), *options, "http://127.0.0.1:9/nobody")
    Api(number).bought()
    finish(process)
    process, number = start(str(tmp_path), *options, receiver.url)
    try:
        wait_until(lambda: receiver.got)
        api = Api(number)
        assert [one["url"] for one in api.get("/v2/webhooks").json["webhooks"]] \
            == [receiver.url]
        wait_until(lambda: api.sim("/events")[0]["status"] == "completed")
    finally:
        finish(process)


# -- the demo ------------------------------------------------------------------


def test_the_demo_tells_a_whole_story(api, port, receiver):
    """Against the simulator itself: the demo cannot tell a gateway from EasyPost.

    Until a day of its own: the story changes with the weekdays in it.
    """
    api.sim("/webhook", {"url": receiver.url, "secret": "s"})
    url = f"http://127.0.0.1:{port}"
    done = subprocess.run(
        [sys.executable, os.path.join(os.path.dirname(PROGRAM), "demo.py"),
         "--gateway", url, "--key", TEST_KEY, "--sim", url, "--days", "45",
         "--shipments", "120", "--until", "2026-11-23"], capture_output=True, text=True, timeout=60, check=False)
    assert done.returncode == 0, done.stderr
    assert re.search(r"\d+ labels, \d+ refunds, \d+ returns, \d+ batches",
                     done.stdout)
    shipments, page = [], {"has_more": True}
    api.sim("/settings", {"list_limit": 0})
    while page["has_more"]:
        last = f"&before_id={shipments[-1]['id']}" if shipments else ""
        page = api.get("/v2/shipments?page_size=100" + last).json
        shipments += page["shipments"]
    assert len(shipments) >= 120 and all(one["tracking_code"] for one in shipments)
    assert len({one["selected_rate"]["carrier"] for one in shipments}) >= 3
    assert any(one["is_return"] for one in shipments)
    assert any(one["refund_status"] for one in shipments)
    assert any(one["batch_id"] for one in shipments)
    assert any(one["customs_info"] for one in shipments)
    assert sum(one["status"] == "delivered" for one in shipments) > 80
    assert {one["id"] for one in receiver.events} \
        == {one["id"] for one in api.sim("/events")}
    now = time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime())
    assert max(one["created_at"] for one in shipments) < now
