"""The site as it is shipped: what nginx alone decides.

Rules are read off the configuration that really runs; behaviour is seen through
raw connections.
"""

import concurrent.futures
import gzip
import http.client
import json
import os
import re
import socket
import ssl
import subprocess

import pytest

from helpers import (ROOT, assert_error, connect, read_answer, send,
                     send_bytes, unique, wait_until)
from test_refusals import lines_of_none, malformed

LOCATIONS = {"/v2/": ("upstream", "58s", "10m"),
             "/beta/": ("upstream", "58s", "10m"),
             "/rates": ("upstream", "58s", None),
             "/bulk-shipments": ("upstream", "58s", "16m"),
             "/shipments": ("upstream", "58s", None),
             "/shipments/": ("upstream", "58s", None),
             "/tracking/": ("upstream", "58s", None),
             "/shipments/batch-track": ("read", "18s", None),
             "/dashboard/session": ("read", "18s", "1k"),
             "/metrics": ("read", "18s", None),
             "/webhooks/easypost": ("webhook", "7s", "2m"),
             "/": ("read", "18s", "10m")}


# --- rules ---------------------------------------------------------------------


@pytest.fixture(scope="module")
def directives(stack):
    """All of the configuration as nested lists: [words..., block or None]."""
    text = subprocess.run(
        ["/usr/sbin/nginx", "-e", "/dev/null", "-T", "-c", stack.nginx.conf],
        capture_output=True, check=True, text=True).stdout
    files = re.split(r"^# configuration file (.*):$", text, flags=re.M)[1:]
    found = dict(zip(files[::2], (parse(text) for text in files[1::2])))
    main = found[stack.nginx.conf]

    def included(block):
        for words, inner in block:
            if words[0] == "include":
                yield from included(found[words[1]])
            else:
                yield words, None if inner is None else list(included(inner))

    return list(included(main))


def parse(text):
    """nginx's syntax: words, quotes, blocks, comments."""
    token = re.compile(
        r"""\s+|#[^\n]*|([{};])|("(?:[^"\\]|\\.)*"|'(?:[^'\\]|\\.)*'"""
        r"""|(?:[^\s{};"'\\]|\\.)+)""")
    stack, words, at = [[]], [], 0
    while at < len(text):
        match = token.match(text, at)
        assert match, text[at:at + 80]
        at = match.end()
        mark, word = match.groups()
        if word:
            words.append(word.strip("\"'"))
        elif mark == "{":
            block = []
            stack[-1].append((words, block))
            stack.append(block)
            words = []
        elif mark == "}":
            stack.pop()
        elif mark == ";":
            stack[-1].append((words, None))
            words = []
    return stack[0]


def blocks(directives, name):
    """All blocks of a name, at any depth."""
    for words, inner in directives:
        if inner is not None:
            if words[0] == name:
                yield words, inner
            yield from blocks(inner, name)


def values(block, name):
    return [words[1:] for words, inner in block
            if words[0] == name and inner is None]


def servers(directives):
    """The one with TLS, the one without."""
    found = [inner for _, inner in blocks(directives, "server")]
    assert len(found) == 2
    assert ["ssl" in values(block, "listen")[0] for block in found] == [
        True, False]
    return found


def server(directives):
    return servers(directives)[0]


def passing(directives):
    """The locations that go to workers."""
    return {words[-1]: inner for words, inner in blocks(directives, "location")
            if values(inner, "fastcgi_pass")}


def knows_max_headers(stack):
    """An nginx without the updates of its distribution does not."""
    with open(os.path.join(os.path.dirname(stack.nginx.conf),
                           "waybill-common.conf"), encoding="utf-8") as file:
        return "max_headers" in file.read()


def test_each_pool_has_its_door_its_deadline_and_its_size(stack, directives):
    found = passing(directives)
    assert set(found) == set(LOCATIONS)
    for path, (pool, deadline, size) in LOCATIONS.items():
        block = found[path]
        assert values(block, "fastcgi_pass") == [
            [f"unix:{stack.run_dir}/{pool}.sock"]]
        assert values(block, "fastcgi_read_timeout") == [[deadline]]
        assert values(block, "client_max_body_size") == (
            [[size]] if size else [])


def test_a_request_goes_to_one_worker_once(directives):
    for block in passing(directives).values():
        assert values(block, "fastcgi_next_upstream") == [["off"]]
        assert values(block, "fastcgi_keep_conn") == [["on"]]
    assert list(blocks(directives, "upstream")) == []


def test_slow_clients_hold_no_worker(directives):
    for block in passing(directives).values():
        assert values(block, "fastcgi_request_buffering") == [["on"]]
        assert values(block, "fastcgi_buffering") == [["on"]]


def test_every_location_has_all_parameters_once(directives):
    """One fastcgi_param in a location drops all outer ones."""
    for path, block in passing(directives).items():
        names = [words[0] for words in values(block, "fastcgi_param")]
        assert len(names) == len(set(names)), path
        assert {"REQUEST_ID", "REQUEST_METHOD", "REQUEST_URI", "QUERY_STRING",
                "CONTENT_TYPE", "CONTENT_LENGTH", "REMOTE_ADDR",
                "HTTP_PROXY"} <= set(names)
        proxy = [words for words in values(block, "fastcgi_param")
                 if words[0] == "HTTP_PROXY"]
        assert proxy == [["HTTP_PROXY", ""]]


def test_nothing_drops_the_headers_of_the_server(directives):
    for name in ("location", "if"):
        for words, block in blocks(directives, name):
            assert values(block, "add_header") == [], words
    tls, plain = ([words[0] for words in values(block, "add_header")
                   if words[-1] == "always"] for block in servers(directives))
    assert set(tls) - set(plain) == {"Strict-Transport-Security"}
    assert {"X-Content-Type-Options", "X-Frame-Options", "Referrer-Policy",
            "Content-Security-Policy", "X-Request-Id"} <= set(plain)
    for block, names in zip(servers(directives), (tls, plain)):
        assert len(values(block, "add_header")) == len(set(names))


def everything(directives):
    """Every directive, at any depth."""
    for words, inner in directives:
        yield words
        yield from everything(inner or [])


def test_what_others_send_decides_nowhere_where_to(directives):
    """Neither a worker, nor a file, nor a header: a decoded path ($uri and its
    like) may hold the end of a line, a Host of somebody's choice anything."""
    given = re.compile(r"\$\{?(uri|document_uri|host|http_\w+|arg_\w+|args"
                       r"|request_method|request)\b")
    for words in everything(directives):
        if words[0] in ("return", "add_header", "root", "fastcgi_pass",
                        "access_log", "error_log", "include"):
            assert not given.search(" ".join(words[1:])), words
        assert words[0] not in (
            "alias", "rewrite", "proxy_pass", "try_files", "autoindex",
            "resolver", "merge_slashes", "valid_referers", "stub_status",
            "auth_basic"), words
    for _, inner in blocks(directives, "location"):
        for words in values(inner, "fastcgi_pass"):
            assert "$" not in words[0]


def test_a_redirect_stays_here(directives):
    found = [words for words in everything(directives)
             if words[0] == "return" and words[1].startswith("30")]
    assert sorted(words[2] for words in found) == [
        "/dashboard/", "/docs/", "https://$server_name$request_uri",
        "https://$server_name$request_uri"]


def test_a_condition_does_nothing_but_refuse(directives):
    """Whatever else stands in an "if" is not what it seems to be."""
    for _, inner in blocks(directives, "if"):
        assert [words[0] for words, _ in inner] == ["return"]


def test_what_is_cached_is_cached_for_one_caller(directives):
    assert values(server(directives), "fastcgi_cache") == []
    for words, block in passing(directives).items():
        if values(block, "fastcgi_cache") == []:
            continue
        assert words == "/", "only reads may be kept"
        key = values(block, "fastcgi_cache_key")[0][0]
        for part in ("$request_method", "$host", "$request_uri",
                     "$http_authorization", "$http_cookie"):
            assert part in key
        assert values(block, "fastcgi_cache_valid") == [["200", "1s"]]
        assert values(block, "fastcgi_cache_use_stale") == []


def test_nothing_is_accelerated(directives):
    for block in passing(directives).values():
        ignored = sum(values(block, "fastcgi_ignore_headers"), [])
        assert "X-Accel-Redirect" in ignored


@pytest.mark.parametrize("number", [0, 1], ids=["tls", "plain"])
def test_limits_of_the_server(stack, directives, number):
    block = servers(directives)[number]
    for name, expected in (
            ("server_tokens", "off"), ("underscores_in_headers", "off"),
            ("ignore_invalid_headers", "on"),
            ("client_header_timeout", "5s"), ("client_body_timeout", "5s"),
            ("send_timeout", "15s"), ("keepalive_timeout", "60s"),
            ("reset_timedout_connection", "on"),
            ("client_max_body_size", "1m"), ("keepalive_requests", "1000"),
            ("http2_max_concurrent_streams", "64"),
            ("limit_req_status", "429"), ("limit_conn_status", "429")):
        assert values(block, name) == [[expected]], name
    assert values(block, "large_client_header_buffers") == [["4", "16k"]]
    assert values(block, "limit_req") and values(block, "limit_conn")
    if knows_max_headers(stack):
        assert values(block, "max_headers") == [["64"]]


def test_tls_is_the_intermediate_profile(directives):
    """And nothing in a location, where it would be another's."""
    block = server(directives)
    assert values(block, "ssl_protocols") == [["TLSv1.2", "TLSv1.3"]]
    assert values(block, "ssl_ecdh_curve") == [["X25519:prime256v1:secp384r1"]]
    for name in values(block, "ssl_ciphers")[0][0].split(":"):
        assert re.fullmatch(r"ECDHE-(ECDSA|RSA)-(AES(128|256)-GCM-SHA\d+"
                            r"|CHACHA20-POLY1305)", name)
    for name, expected in (
            ("ssl_prefer_server_ciphers", "off"),
            ("ssl_session_tickets", "off"),  # their key is never changed
            ("ssl_session_cache", "shared:waybill_tls:10m")):
        assert values(block, name) == [[expected]], name
    assert values(block, "ssl_early_data") == []  # may be played again


@pytest.mark.parametrize(
    "name", ["waybill", "waybill-http.conf", "waybill-common.conf",
             "waybill-server.conf", "waybill-plain.conf"])
def test_only_the_words_between_at_signs_differ(stack, name):
    """What is tested is what is shipped."""
    with open(os.path.join(ROOT, "nginx", name + ".in"),
              encoding="utf-8") as file:
        shipped = file.read().splitlines()
    with open(os.path.join(os.path.dirname(stack.nginx.conf), name),
              encoding="utf-8") as file:
        running = file.read().splitlines()
    shipped = [line for line in shipped if not re.search(
        "@LISTEN(_PLAIN)?6@", line)]
    if not knows_max_headers(stack):
        shipped = [line for line in shipped if "max_headers" not in line]
    assert len(shipped) == len(running)
    for ours, theirs in zip(shipped, running):
        pattern = re.sub(r"@[A-Z0-9]+(_[A-Z0-9]+)*@", ".+", re.escape(ours))
        assert re.fullmatch(pattern, theirs), (ours, theirs)


# --- without TLS --------------------------------------------------------------------


def plain(stack, target, *headers, method="GET"):
    """An answer of what an installed system says on port 80."""
    with socket.socket(socket.AF_UNIX) as wire:
        wire.settimeout(10)
        wire.connect(stack.nginx.plain)
        wire.sendall("\r\n".join((f"{method} {target} HTTP/1.1",
                                  "Connection: close", *headers, "", "")
                                 ).encode("latin-1"))
        return read_answer(wire, method)


def test_an_authority_finds_what_its_client_has_laid_out(stack):
    folder = os.path.join(stack.nginx.acme_dir, ".well-known/acme-challenge")
    os.makedirs(folder, exist_ok=True)
    with open(os.path.join(folder, "token"), "w", encoding="ascii") as file:
        file.write("token.thumbprint")
    with open(os.path.join(stack.nginx.acme_dir, "other"), "w",
              encoding="ascii") as file:
        file.write("nobody's business")
    where = "/.well-known/acme-challenge/"
    answer = plain(stack, where + "token", "Host: ship.example.com")
    assert (answer.status_code, answer.text) == (200, "token.thumbprint")
    assert answer.headers["Content-Type"] == "text/plain"
    for target, status in ((where + "another", 404), (where, 403),
                           (where + "../../other", 400),
                           (where + "..%2f..%2fother", 400),
                           ("/.well-known/other", 400)):
        assert_error(plain(stack, target, "Host: localhost"), status,
                     easypost=False)


@pytest.mark.parametrize("target", ["/dashboard/", "/docs/?a=b", "/docs",
                                    "/docs/%0d%0aSet-Cookie:%20a=b"])
def test_people_without_tls_are_shown_the_way(stack, target):
    """To the name of the site, whatever they called it."""
    answer = plain(stack, target, "Host: evil.example.com")
    assert answer.status_code == 301
    assert answer.headers["Location"] == "https://localhost" + target
    assert "Set-Cookie" not in answer.headers


@pytest.mark.parametrize("method", ["GET", "POST", "DELETE"])
@pytest.mark.parametrize("target", ["/", "/v2/shipments", "/db/shipments",
                                    "/webhooks/easypost", "/metrics"])
def test_programs_without_tls_are_refused(stack, method, target):
    answer = plain(stack, target, "Host: localhost", "Content-Length: 0",
                   f"Authorization: Bearer {stack.key}", method=method)
    assert_error(answer, 400, "TLS.REQUIRED",
                 easypost=target.startswith("/v2"))
    assert "Strict-Transport-Security" not in answer.headers  # RFC 6797, 7.2
    assert answer.headers["X-Content-Type-Options"] == "nosniff"
    assert answer.headers["Cache-Control"] == "no-store"


# --- request ids -------------------------------------------------------------------


@pytest.mark.parametrize("given", ["abcdefgh", "a" * 64, "A-b_c.9876"])
def test_a_good_request_id_is_kept(stack, given):
    for target in ("/livez", "/.e/404"):
        answer = send(stack, "GET", target, {"X-Request-Id": given})
        assert [value for name, value in answer.header_list
                if name.lower() == "x-request-id"] == [given]


@pytest.mark.parametrize("given", ["short", "a" * 65, "with space here",
                                   "sla/sh/es", "quote\"quote", "umlaut\xe4"])
def test_a_bad_request_id_is_replaced(stack, given):
    answer = send(stack, "GET", "/livez", {"X-Request-Id": given})
    assert re.fullmatch(r"[0-9a-f]{32}", answer.headers["X-Request-Id"])


# --- the log -------------------------------------------------------------------------


def logged(stack, request_id):
    """The line of a request in nginx's log."""
    def look():
        with open(stack.nginx.access_log, encoding="utf-8") as file:
            for line in file:
                if request_id in line:
                    return json.loads(line)
        return None
    return wait_until(look, 5, "the line in the access log")


def test_a_request_is_one_line_of_json_without_secrets(stack):
    request_id, secret = unique("log."), unique("secret")
    send(stack, "GET", f"/db/shipments?reference={secret}", {
        "X-Request-Id": request_id, "Authorization": f"Bearer {secret}",
        "User-Agent": "quote\" and \\ and \x1b"})
    line = logged(stack, request_id)
    assert line["path"] == "/db/shipments"
    assert (line["method"], line["status"]) == ("GET", 401)
    assert line["request_bytes"] > 0 and line["bytes"] > 0
    for name in (stack.nginx.access_log, stack.nginx.log):
        with open(name, encoding="utf-8") as file:
            assert secret not in file.read()


@pytest.mark.parametrize("given, kept", [
    ("/no/\xff\xfe/UTF-8", "/no/"), ("/\xc3\xa9t\xc3\xa9?q=1", "/"),
    ("/%ff%c3%a9?q=%ff", "/%ff%c3%a9"),
    ("/\xff/wb_abcdefghijkl", "/"), ("/a/wb_abcdefghijkl/\xff", "/a/wb_***")])
def test_of_path_and_agent_the_log_keeps_ascii(stack, given, kept):
    request_id = unique("log.")
    send(stack, "GET", given, {"X-Request-Id": request_id,
                               "User-Agent": given.replace("?", "!")})
    line = logged(stack, request_id)
    assert line["path"] == kept
    assert line["user_agent"].partition("!")[0] == kept


def test_every_line_of_the_log_is_json(stack):
    for *_, sent in [*malformed("/v2/shipments"), *lines_of_none()]:
        send_bytes(stack, sent)
    with open(stack.nginx.access_log, encoding="utf-8") as file:
        for line in file:
            assert re.fullmatch(r"[A-Za-z0-9._-]{8,64}",
                                json.loads(line)["request_id"])


# --- floods and slow ones --------------------------------------------------------------


def from_elsewhere(stack):
    """A connection from an address that is not this machine's usual one."""
    plain = socket.create_connection(("127.0.0.1", stack.port), 10,
                                     source_address=("127.0.0.2", 0))
    context = ssl.create_default_context(cafile=stack.ca)
    return context.wrap_socket(plain, server_hostname="127.0.0.1")


def pipelined(wire, targets):
    """The answers to requests that are all sent before the first is read, as
    status and the rest."""
    wire.sendall(b"".join(
        b"GET %s HTTP/1.1\r\nHost: localhost\r\n%s\r\n"
        % (target, b"" if number else b"Connection: close\r\n")
        for number, target in zip(reversed(range(len(targets))), targets)))
    data = b"".join(iter(lambda: wire.recv(1 << 20), b""))
    return [(int(one[:3]), one) for one in data.split(b"HTTP/1.1 ")[1:]]


def test_a_flood_from_one_address_is_429(stack):
    """Faster than 500 a second and after the burst of 1,000; meanwhile others
    are served.  A file that does not exist: no worker slows it down."""
    def flood(_):
        with from_elsewhere(stack) as wire:
            return pipelined(wire, [b"/docs/nothing"] * 900)

    with concurrent.futures.ThreadPoolExecutor(4) as threads:
        floods = [threads.submit(flood, number) for number in range(4)]
        assert send(stack, "GET", "/livez").status_code == 200
        answers = sum((one.result() for one in floods), [])
    assert len(answers) == 4 * 900
    assert {status for status, _ in answers} == {404, 429}
    refused = next(one for status, one in answers if status == 429)
    head, _, body = refused.partition(b"\r\n\r\n")
    assert b"\r\nRetry-After: 1\r\n" in head
    assert json.loads(body)["error"]["code"] == "RATE_LIMITED"


def test_a_rush_of_different_reads_is_answered(stack):
    """Each target is a key that nginx remembers for some seconds; 28,800 of them
    have room."""
    each, clients = 900, 32

    def rush(number):
        with connect(stack, timeout=60) as wire:
            return pipelined(wire, [b"/nothing/%d/%d" % (number, n)
                                    for n in range(each)])

    with concurrent.futures.ThreadPoolExecutor(clients) as threads:
        answers = sum(threads.map(rush, range(clients)), [])
    assert len(answers) == each * clients
    assert {status for status, _ in answers} == {404}


def test_slow_heads_and_bodies_are_dropped(stack):
    """And 200 of them keep nobody out."""
    slow = []
    for number in range(200):
        wire = connect(stack)
        wire.sendall(b"GET /livez HTTP/1.1\r\nHost: loc" if number % 2 else
                     b"POST /v2/x HTTP/1.1\r\nHost: localhost\r\n"
                     b"Content-Length: 100\r\n\r\n{")
        slow.append(wire)
    assert send(stack, "GET", "/livez").status_code == 200
    for wire in slow:
        wire.settimeout(10)
        try:
            answer = read_answer(wire)
            assert_error(answer, 408)
        except (http.client.HTTPException, OSError):
            pass  # just hung up
        wire.close()


# --- conditions ---------------------------------------------------------------------------


@pytest.mark.parametrize("condition", [
    {"If-Match": '"another"'},
    {"If-Unmodified-Since": "Thu, 26 Nov 1970 00:00:00 GMT"}])
@pytest.mark.parametrize("path", ["/db/shipments?limit=1", "/health"])
def test_conditions_of_writes_change_no_read(client, path, condition):
    """Three on one connection: the first, what nginx keeps, and what follows."""
    del client.session.headers["Cache-Control"]
    for _ in range(3):
        got = client.get(path, headers=condition)
        assert got.status_code == 200 and got.json()["status"] == "success"


# --- headers and compression -------------------------------------------------------------


def test_security_headers_are_on_every_answer(stack):
    for target in ("/livez", "/nothing", "/v2/x", "/.e/404"):
        headers = send(stack, "GET", target).headers
        assert headers["X-Content-Type-Options"] == "nosniff"
        assert headers["X-Frame-Options"] == "DENY"
        assert headers["Strict-Transport-Security"] == "max-age=63072000"
        assert headers["Referrer-Policy"] == "no-referrer"
        assert "default-src 'none'" in headers["Content-Security-Policy"]
        assert headers["Server"] == "nginx"


def test_http2_is_spoken(stack):
    context = ssl.create_default_context(cafile=stack.ca)
    context.set_alpn_protocols(["h2", "http/1.1"])
    with socket.create_connection(("127.0.0.1", stack.port), 10) as plain:
        with context.wrap_socket(plain, server_hostname="127.0.0.1") as wire:
            assert wire.selected_alpn_protocol() == "h2"


@pytest.mark.filterwarnings("ignore::DeprecationWarning")
@pytest.mark.parametrize("version", [ssl.TLSVersion.TLSv1,
                                     ssl.TLSVersion.TLSv1_1])
def test_old_tls_is_refused(stack, version):
    context = ssl.create_default_context(cafile=stack.ca)
    context.set_ciphers("ALL:@SECLEVEL=0")
    context.minimum_version = version
    context.maximum_version = version
    with socket.create_connection(("127.0.0.1", stack.port), 10) as plain:
        with pytest.raises(ssl.SSLError):
            context.wrap_socket(plain, server_hostname="127.0.0.1")


@pytest.mark.parametrize("size,encoding", [(5000, "gzip"), (500, None)])
def test_long_json_is_compressed_when_wanted(stack, sim, size, encoding):
    path = "/v2/" + unique("long_")
    body = json.dumps({"text": "x" * size}).encode()
    sim.canned("GET", path, body)
    key = {"Authorization": f"Bearer {stack.key}"}
    answer = send(stack, "GET", path, key)
    assert answer.content == body
    assert "Content-Encoding" not in answer.headers
    answer = send(stack, "GET", path, {**key, "Accept-Encoding": "gzip"})
    assert answer.headers.get("Content-Encoding") == encoding
    assert (gzip.decompress(answer.content) if encoding
            else answer.content) == body
