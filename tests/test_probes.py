"""Probes as a scanner would send them: SQL, line breaks, paths and addresses, in
every place that a client fills in.  None of them passes.

What passing means is said with each kind: a line of ours in the answer or in the
call to EasyPost, a file, rows that were not asked for, a call to somebody else.
"""

import contextlib
import http.client
import json
import socket
import threading
import urllib.parse

import pytest

import contract
from helpers import (assert_no_internals, authorization, connect, read_answer,
                     unique)
from test_contract import READS, parameters_of

# Of each kind of place one that is there and one that is not.
IDS = ["/db/shipments/{}", "/db/addresses/{}", "/db/batch-operations/{}",
       "/db/webhooks/{}", "/shipments/{}", "/tracking/{}", "/v2/shipments/{}",
       "/beta/{}", "/{}"]
BODIES = {
    "/rates": {"to_address": {"street1": "?"}, "parcel": {"weight": 1}},
    "/shipments/batch-track": {"tracking_codes": ["?"]},
    "/db/addresses": {"name": "?", "country": "US"},
    "/v2/addresses": {"address": {"name": "?"}},
    "/webhooks/easypost": {"id": "?"}}


class Probes:
    """Sends one after the other on a connection, and looks at each answer."""

    def __init__(self, stack, sim):
        self.stack = stack
        self.sim = sim
        self.count = 0
        self.wire = None

    def send(self, method, target, headers=(), body=None):
        """As it is given; None when the server just hangs up."""
        self.count += 1
        names = {name.lower() for name, _ in headers}
        pairs = [pair for pair in (
            ("Host", f"127.0.0.1:{self.stack.port}"),
            ("Authorization", authorization(self.stack.key)))
            if pair[0].lower() not in names] + list(headers)
        if body is not None:
            pairs += [("Content-Type", "application/json"),
                      ("Content-Length", str(len(body)))]
        data = "".join([f"{method} {target} HTTP/1.1\r\n",
                        *[f"{name}: {value}\r\n" for name, value in pairs],
                        "\r\n"]).encode("latin-1") + (body or b"")
        answer = self.exchange(data)
        if answer is None:
            return None
        contract.look_at_bytes(data, answer.status_code, answer.headers,
                               answer.content)
        # 500 is a fault wherever it comes from; the others are told ones.
        assert answer.status_code not in (500, 502, 504), (target, answer)
        assert "X-Evil" not in answer.headers, target
        assert answer.headers["X-Request-Id"], target
        if answer.status_code >= 400 and method != "HEAD":
            assert answer.json()["error"]["code"], target
            assert_no_internals(answer.json()["error"]["code"])
        return answer

    def exchange(self, data):
        self.wire = self.wire or connect(self.stack)
        try:
            self.wire.sendall(data)
            answer = read_answer(self.wire)
        except (OSError, http.client.HTTPException):
            self.hang_up()
            return None
        if answer.headers.get("Connection") == "close":
            self.hang_up()
        return answer

    def hang_up(self):
        if self.wire:
            self.wire.close()
        self.wire = None


@pytest.fixture
def probes(stack, sim):
    found = Probes(stack, sim)
    yield found
    found.hang_up()
    print(f"probes: {found.count}")


def filled(document, value):
    text = json.dumps(document)
    return text.replace('"?"', json.dumps(value)).encode()


# --- SQL ---------------------------------------------------------------------------


SQL = ["' or '1'='1", "'; drop table shipments;--", "1); select pg_sleep(9);--",
       "' union select key_hash, null from api_keys--", "\\'; select 1;--",
       "%' or 1=1 or carrier like '%", "$1", "x'||version()||'",
       "(select pg_sleep(9))"]


@pytest.fixture
def untouched(db):
    def look():
        return db("select relname, relfilenode from pg_class "
                  "where relnamespace = 'waybill'::regnamespace "
                  "order by 1"), db.one("select count(*) from shipments")
    before = look()
    yield
    assert look() == before


def test_sql_is_text(probes, untouched):
    """Refused, or what it says is looked for and not found; nobody sleeps."""
    for text in SQL:
        word = urllib.parse.quote(text, safe="")
        for path in READS:
            for one in parameters_of(path):
                if "{" in path:
                    continue
                got = probes.send("GET", f"{path}?{one['name']}={word}")
                assert got.status_code in (200, 400), (path, one, got)
                if one["name"] != "q":  # which is words, and may find some
                    assert_nothing_found(got)
        for path in IDS:
            got = probes.send("GET", path.format(word))
            assert 400 <= got.status_code < 500, (path, got)
        for path, document in BODIES.items():
            if path != "/db/addresses":  # which keeps any name
                got = probes.send("POST", path, body=filled(document, text))
                assert got.status_code in (200, 201, 400, 401, 422), (path, got)
                assert b"PostgreSQL" not in got.content
    assert probes.count >= 700


def assert_nothing_found(got):
    if got.status_code == 200:
        data = got.json()["data"]
        assert all(rows == [] for rows in data.values()
                   if isinstance(rows, list)), got


# --- line breaks -------------------------------------------------------------------


BREAKS = ["%0d%0aX-Evil:%201", "%0aX-Evil:%201", "%0dX-Evil:%201",
          "%E5%98%8A%E5%98%8DX-Evil:%201", "%250d%250aX-Evil:%201",
          "%00%0d%0aX-Evil:%201", "%0d%0a%0d%0a<script>", "%c0%8dX-Evil:%201"]
RAW = ["a\r\nX-Evil: 1", "a\nX-Evil: 1", "a\rX-Evil: 1", "a\0\r\nX-Evil: 1",
       "a\x0bX-Evil: 1", "a\x85X-Evil: 1"]


def test_no_line_is_begun_by_a_client(probes, sim):
    """Neither in the answer nor in what goes to EasyPost."""
    before = len(sim.calls())
    for text in BREAKS:
        for path in IDS + ["/v2/addresses?a={}", "/dashboard/{}", "/docs/{}",
                           "/db/shipments?carrier={}", "/dashboard?{}"]:
            probes.send("GET", path.format(text))
        for path in ("/v2/shipments/{}/buy", "/shipments/{}/buy"):
            probes.send("POST", path.format(text), body=b"{}")
    for text in RAW:
        for path, document in BODIES.items():
            if path != "/db/addresses":
                probes.send("POST", path, body=filled(document, text))
        # A line break that is one is a header of its own, which nobody minds.
        for name in ("X-Request-Id", "Idempotency-Key", "User-Agent",
                     "Content-Language", "traceparent", "Accept"):
            if "\n" not in text:
                probes.send("GET", "/v2/addresses/adr_1", [(name, text)])
    for call in sim.calls()[before:]:
        names = {name.lower() for name, _ in pairs_of(call["headers"])}
        assert "x-evil" not in names, call
        assert "\n" not in call["path"] and "\r" not in call["path"], call
    assert probes.count >= 150


def pairs_of(headers):
    return headers.items() if isinstance(headers, dict) else headers


# --- paths -------------------------------------------------------------------------


PATHS = ["../../../../etc/passwd", "..%2f..%2f..%2fetc%2fpasswd",
         "%2e%2e/%2e%2e/%2e%2e/etc/passwd", "%252e%252e%252fetc%252fpasswd",
         "....//....//etc/passwd", "..;/..;/etc/passwd", "..\\..\\etc\\passwd",
         "%5c..%5c..%5cetc%5cpasswd", "%c0%ae%c0%ae/etc/passwd",
         "..%00/etc/passwd", "./.././../etc/waybill/waybill.conf",
         "/etc/passwd", "%2fetc%2fpasswd", "~root/.ssh/id_rsa",
         "..%u2215etc%u2215passwd", ".%2e/.%2e/etc/passwd"]


def test_no_path_leads_out(probes, sim):
    """No file of this machine, and at EasyPost nothing above /v2 and /beta."""
    before = len(sim.calls())
    for text in PATHS:
        for root in ("/", "/docs/", "/dashboard/", "/v2/", "/beta/",
                     "/db/shipments/", "/tracking/", "/.e/",
                     "/dashboard/vendor/"):
            got = probes.send("GET", root + text)
            if got is not None:
                assert got.status_code >= 400, (root, text, got)
                for secret in (b"root:", b"DATABASE_URL", b"PRIVATE KEY"):
                    assert secret not in got.content, (root, text)
    for call in sim.calls()[before:]:
        path = urllib.parse.unquote(urllib.parse.unquote(call["path"]))
        assert path.startswith(("/v2/", "/beta/")), call
        assert ".." not in path.replace("\\", "/").split("/"), call
    assert probes.count >= 140


# --- addresses ---------------------------------------------------------------------


@contextlib.contextmanager
def stranger():
    """Somebody whom nobody may call; who did nevertheless."""
    met = []
    with socket.create_server(("127.0.0.1", 0)) as server:
        def wait():
            with contextlib.suppress(OSError):
                while True:
                    met.append(server.accept()[1])

        thread = threading.Thread(target=wait, daemon=True)
        thread.start()
        yield server.getsockname()[1], met
        server.shutdown(socket.SHUT_RDWR)
        thread.join(10)


def test_nobody_else_is_called(probes, sim, same_webhooks):
    with stranger() as (port, met):
        hosts = [f"127.0.0.1:{port}", f"localhost:{port}", f"[::1]:{port}",
                 f"2130706433:{port}", f"127.1:{port}",
                 f"api.easypost.com@127.0.0.1:{port}",
                 "169.254.169.254/latest/meta-data"]
        before = len(sim.calls())
        for host in hosts:
            for target in (f"http://{host}/v2/addresses/adr_1",
                           f"//{host}/v2/addresses/adr_1", f"/v2/@{host}/x",
                           f"/v2/http://{host}/x", f"/v2/..//{host}/x",
                           f"/v2/addresses?url=http://{host}/",
                           f"/v2/addresses/adr_1#@{host}/"):
                probes.send("GET", target)
            for name in ("Host", "X-Forwarded-Host", "X-Host", "Forwarded",
                         "X-Original-Url", "X-Rewrite-Url", "Proxy",
                         "X-Forwarded-Server", "Referer"):
                probes.send("GET", "/v2/addresses/adr_1", [(name, host)])
            for path, document in (
                    ("/v2/webhooks", {"webhook": {"url": f"http://{host}/"}}),
                    ("/webhooks/easypost", {"id": f"http://{host}/"}),
                    ("/rates", {"to_address": {"name": f"http://{host}/"}}),
                    ("/db/shipments", {"label_url": f"http://{host}/"})):
                probes.send("POST", path, body=json.dumps(document).encode())
        for call in sim.calls()[before:]:
            assert call["path"].startswith(("/v2/", "/beta/")), call
    assert met == []
    assert probes.count >= 130


# --- methods, and headers that come twice -----------------------------------------------


def test_a_method_that_is_none_is_refused(probes, sim):
    before = len(sim.calls())
    for path in [*READS, "/v2/addresses", "/beta/rates", "/rates",
                 "/webhooks/easypost", "/livez", "/readyz", "/metrics",
                 "/openapi.json", "/docs/", "/dashboard/",
                 "/dashboard/session"]:
        for method in ("BREW", "PROPFIND", "MKCOL", "SEARCH", "UNKNOWN"):
            got = probes.send(method, path.replace("{id}", "shp_1"))
            assert got.status_code == 405, (method, path, got)
            assert got.headers["Allow"], (method, path)
    assert len(sim.calls()) == before


TWICE = ["Authorization", "Content-Type", "Idempotency-Key",
         "X-Hmac-Signature", "X-Hmac-Signature-V2",
         "X-EasyPost-Hmac-Signature", "Host", "Content-Length"]


@pytest.mark.parametrize("name", TWICE)
def test_what_decides_comes_once(probes, sim, name):
    before = len(sim.calls())
    for path in ("/v2/addresses", "/webhooks/easypost", "/rates",
                 "/db/addresses"):
        for pair in (("1", "1"), ("1", "2"), (unique(), "")):
            got = probes.send("POST", path, [(name, one) for one in pair],
                              body=b"1" if name != "Content-Length" else None)
            assert got.status_code == 400, (path, name, pair, got)
    assert len(sim.calls()) == before
