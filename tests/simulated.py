"""A simulator of the test's own, a key on a kept-alive connection, a receiver.

For the tests of the simulator itself; they import the fixtures by name, because the
other tests have no use for them.
"""

import http.client
import http.server
import json
import os
import signal
import subprocess
import sys
import threading
import time

import pytest

HERE = os.path.dirname(os.path.abspath(__file__))
PROGRAM = os.path.join(HERE, "sim", "easypost_sim.py")
TEST_KEY, PRODUCTION_KEY = "EZTKsimulated", "EZAKsimulated"

FROM = {"name": "Ada North", "street1": "388 Market St", "street2": "Floor 2",
        "city": "San Francisco", "state": "CA", "zip": "94107", "country": "US",
        "phone": "4155550100", "email": "ada@example.com"}
TO = {"name": "Ben South", "street1": "12 Harbor Dr", "city": "Redondo Beach",
      "state": "CA", "zip": "90277", "country": "US"}
ABROAD = {"name": "Eva West", "street1": "14 Camden Passage", "city": "London",
          "zip": "N1 8EA", "country": "GB"}
NOWHERE = {"street1": "000 unknown street", "city": "Not A City", "state": "ZZ",
           "zip": "00001", "country": "US"}
PARCEL = {"length": 10, "width": 8, "height": 4, "weight": 15.4}
ITEM = {"description": "Mugs", "quantity": 2, "weight": 11, "value": 23.25,
        "hs_tariff_number": "691200", "origin_country": "US"}
SHIPMENT = {"from_address": FROM, "to_address": TO, "parcel": PARCEL}


class Answer:
    def __init__(self, answer, body):
        self.status = answer.status
        self.headers = {name.lower(): value for name, value in answer.getheaders()}
        self.body = body

    @property
    def json(self):
        return json.loads(self.body)

    @property
    def code(self):
        return self.json["error"]["code"]

    @property
    def fields(self):
        return [one["field"] for one in self.json["error"]["errors"]]


class Api:
    """One kept-alive connection, with a key."""

    def __init__(self, port, key=TEST_KEY):
        self.port = port
        self.key = key
        self.connection = http.client.HTTPConnection("127.0.0.1", port, timeout=10)

    def __call__(self, method, path, body=None, headers=None, key=None):
        if body is not None and not isinstance(body, (bytes, str)):
            body = json.dumps(body)
        sent = {"Authorization": f"Bearer {key or self.key}", **(headers or {})}
        sent = {name: value for name, value in sent.items() if value is not None}
        try:
            self.connection.request(method, path, body, sent)
            answer = self.connection.getresponse()
            return Answer(answer, answer.read())
        except Exception:
            self.connection.close()
            raise

    def get(self, path, **more):
        return self("GET", path, **more)

    def post(self, path, body=None, **more):
        return self("POST", path, body, **more)

    def sim(self, path, body=None, method=None):
        method = method or ("GET" if body is None else "POST")
        answer = self(method, "/_sim" + path, body)
        assert answer.status == 200, answer.body
        return answer.json

    # What most tests begin with.
    def shipment(self, **more):
        answer = self.post("/v2/shipments", {"shipment": {**SHIPMENT, **more}})
        assert answer.status == 201, answer.body
        return answer.json

    def bought(self, service="GroundAdvantage", **more):
        made = self.shipment(**more)
        rate = next(one for one in made["rates"] if one["service"] == service)
        answer = self.post(f"/v2/shipments/{made['id']}/buy", {"rate": rate})
        assert answer.status == 200, answer.body
        return answer.json


def start(folder, *options):
    port_file = os.path.join(folder, "port")
    if os.path.exists(port_file):
        os.unlink(port_file)
    process = subprocess.Popen(
        [sys.executable, PROGRAM, "--port-file", port_file, "--test-key", TEST_KEY,
         "--production-key", PRODUCTION_KEY, *options],
        stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
    limit = time.monotonic() + 10
    while not os.path.exists(port_file):
        assert process.poll() is None, process.stdout.read()
        assert time.monotonic() < limit, "the simulator does not start"
        time.sleep(0.01)
    with open(port_file, encoding="ascii") as file:
        return process, int(file.read())


def finish(process):
    process.send_signal(signal.SIGTERM)
    output, _ = process.communicate(timeout=10)
    assert process.returncode == 0
    assert output == b"", output.decode()


@pytest.fixture(scope="module")
def port(tmp_path_factory):
    process, number = start(str(tmp_path_factory.mktemp("simulator")))
    yield number
    finish(process)     # printed nothing: no handler has failed


@pytest.fixture
def api(port):
    one = Api(port)
    one.sim("/reset", {})
    one.sim("/settings", {"list_limit": 0, "auto_deliver": True, "latency": "none",
                          "retries": [0.05, 0.05, 0.05], "disable_after": 0,
                          "batch_seconds": 0.0})
    yield one
    one.connection.close()


def wait_until(condition, limit=5.0):
    end = time.monotonic() + limit
    while time.monotonic() < end:
        found = condition()
        if found:
            return found
        time.sleep(0.01)
    raise AssertionError("it did not happen")


class Receiver:
    """A webhook's receiver that keeps what it gets; `script`: statuses to answer."""

    def __init__(self):
        self.got, self.script = [], []
        receiver = self

        class Handler(http.server.BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def do_POST(self):
                length = int(self.headers["Content-Length"])
                receiver.got.append((self.path, dict(self.headers),
                                     self.rfile.read(length)))
                self.send_response(receiver.script.pop(0) if receiver.script else 200)
                self.send_header("Content-Length", "0")
                self.end_headers()

            def log_message(self, *_):
                pass

        self.server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.server.daemon_threads = True
        threading.Thread(target=self.server.serve_forever, daemon=True).start()
        self.url = f"http://127.0.0.1:{self.server.server_port}/hook"

    @property
    def events(self):
        return [json.loads(body) for _, _, body in self.got]


@pytest.fixture
def receiver():
    one = Receiver()
    yield one
    one.server.shutdown()
    one.server.server_close()


def keys(document):
    return ",".join(document)
