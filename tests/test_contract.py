"""The contract itself: what is served, that it names all there is, and that the
gateway keeps to it whatever comes.

That every answer of every other test is in the contract is contract.py's part.
"""

import datetime
import glob
import json
import os
import re
import signal
import subprocess
import threading
import urllib.parse
import uuid

import jsonschema
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

import contract
import documents
from helpers import (ROOT, Client, assert_error, authorization, deliver,
                     parallel, send, unique, wait_until, workers)

BOUNDED = settings(max_examples=12, derandomize=True, deadline=None,
                   suppress_health_check=list(HealthCheck))
STORY = contract.contract()


def parameters_of(path):
    operation = STORY.operations["GET", path]
    return [one for one in operation.get("parameters", [])
            if one["in"] == "query"]


FIGURES = ("/analytics", "/stats", "/carrier-performance")
READS = sorted(path for verb, path in STORY.operations
               if verb == "GET" and path.startswith(("/db/", "/health", *FIGURES)))
LISTS = [path for path in READS
         if "after" in {one["name"] for one in parameters_of(path)}]
WRITES = sorted(
    (verb, path) for (verb, path), operation in STORY.operations.items()
    if operation["x-scope"] != "proxy" and "application/json"
    in operation.get("requestBody", {}).get("content", {}))


@pytest.fixture(scope="module", autouse=True)
def something_there(stack):
    """So that valid questions have answers with rows."""
    own = Client(stack, stack.key)
    shipment = documents.shipment(bought=True)
    assert deliver(own, documents.event(
        "tracker.updated", shipment["tracker"])).status_code == 200
    assert own.get("/db/shipments").status_code == 200


# --- what is served ---------------------------------------------------------------


def test_it_is_served_to_everybody(stack, nobody):
    got = nobody.get("/openapi.json")
    assert got.status_code == 200
    assert got.headers["Content-Type"] == "application/json"
    assert got.headers["Cache-Control"] == "no-cache"
    assert got.headers["Content-Encoding"] == "gzip"
    assert not got.headers["ETag"].startswith("W/")  # made beforehand
    with open(contract.SERVED, "rb") as file:
        assert got.content == file.read()
    again = nobody.get("/openapi.json",
                       headers={"If-None-Match": got.headers["ETag"]})
    assert (again.status_code, again.content) == (304, b"")
    assert nobody("HEAD", "/openapi.json").status_code == 200
    for method in ("POST", "PUT", "DELETE"):
        refused = nobody(method, "/openapi.json")
        assert_error(refused, 405, "METHOD.NOT_ALLOWED", easypost=False)
        assert refused.headers["Allow"] == "GET, HEAD"


def test_parts_and_conditions(stack):
    got = send(stack, "GET", "/openapi.json", {"Range": "bytes=0-9"})
    assert (got.status_code, len(got.content)) == (206, 10)
    assert_error(send(stack, "GET", "/openapi.json",
                      {"Range": "bytes=99999999-"}), 416, "RANGE.INVALID")
    assert_error(send(stack, "GET", "/openapi.json", {"If-Match": '"x"'}),
                 412, "PRECONDITION.FAILED")


PAGE = {"/docs/": "text/html; charset=utf-8", "/docs/docs.js":
        "text/javascript", "/docs/docs.css": "text/css",
        "/docs/icon.svg": "image/svg+xml"}


@pytest.mark.parametrize("path", list(PAGE))
def test_the_page_may_use_its_own_files_and_nothing_else(nobody, path):
    got = nobody.get(path)
    assert got.status_code == 200
    assert got.headers["Content-Type"].startswith(PAGE[path])
    assert got.headers["Cache-Control"] == "no-cache"
    policy = got.headers["Content-Security-Policy"]
    assert "default-src 'none'" in policy and "script-src 'self'" in policy
    assert "unsafe" not in policy
    assert got.headers["X-Content-Type-Options"] == "nosniff"


def test_the_page_names_only_what_is_there(nobody):
    text = nobody.get("/docs/").text
    assert "<noscript>" in text and "style=" not in text
    assert not re.search(r"<script(?![^>]*src=)|\son\w+=|https?://", text)
    for name in re.findall(r'(?:href|src)="([^"#]+)"', text):
        assert nobody.get("/docs/" + name).status_code == 200, name
    assert nobody.get("/docs").headers["Location"] == "/docs/"
    assert_error(nobody.get("/docs/nothing"), 404, "NOT_FOUND")


# --- it names all there is -----------------------------------------------------------


def routes(stack):
    """The program's own table: {(method, path): scope}."""
    text = subprocess.run(
        [os.path.join(stack.build, "waybill-fcgi"), "-r"],
        capture_output=True, check=True, text=True).stdout
    found = {}
    for line in text.splitlines():
        path, _, scope, methods = line.split("\t")
        path = re.sub(r"\*$", "{path}", path)
        found |= {(method, path): scope for method in methods.split(", ")
                  if method != "HEAD"}
    return found


def test_its_routes_are_those_of_the_program(stack):
    described = {key: operation["x-scope"]
                 for key, operation in STORY.operations.items()
                 if not operation.get("x-static")}
    # {id} in the program, a name that says more in the contract.
    assert {(verb, re.sub(r"\{(?!path)\w+\}", "{id}", path)): scope
            for (verb, path), scope in described.items()} == routes(stack)


# What nobody can be answered: nginx hangs up (also on a body that ends early, of
# which a worker hears from others only), has no reason to, or the client is no
# longer there.
NEVER_SENT = {"ACCESS.DENIED", "BODY.INCOMPLETE", "CLIENT.GONE", "LENGTH.REQUIRED",
              "REQUEST.MISDIRECTED",
              "REQUEST.TIMEOUT", "STORAGE.FULL"}

# What comes with any status: EasyPost refused, and did not say with which code.
RELAYED = {"UPSTREAM.REFUSED"}

# Inside of an answer: why one item of a bulk call has no shipment.
OF_ITEMS = {"BULK.NOT_SENT"}


def test_its_codes_are_those_of_the_program():
    text = ""
    for name in glob.glob(f"{ROOT}/fcgi/*.c"):
        with open(name, encoding="utf-8") as file:
            text += file.read()
    with open(f"{ROOT}/nginx/waybill-http.conf.in", encoding="utf-8") as file:
        text += re.sub(r"(/\.e/\d+ +)([A-Z_.]+);", r'\1"\2"', file.read())
    known = set(re.findall(r'"([A-Z][A-Z_]*(?:\.[A-Z_]+)+)"', text))
    described = set(STORY.errors)
    assert known - NEVER_SENT - RELAYED - OF_ITEMS <= described
    words = set(re.findall(r'"([A-Z_]{4,})"', text))
    assert described <= known | words


def test_its_examples_are_true():
    schemas = STORY.document["components"]["schemas"]
    for name, schema in schemas.items():
        assert schema.get("description"), name
        assert schema.get("examples"), name
        judge = jsonschema.Draft202012Validator(
            contract.closed(contract.resolved(schema, STORY.document)))
        for example in schema["examples"]:
            judge.validate(example)


def test_a_wrong_answer_is_seen():
    """Else all of this would prove nothing."""
    own = contract.Contract(STORY.document)
    good = json.dumps({"status": "success", "data": {"alive": True}}).encode()
    headers = {"Content-Type": "application/json", "X-Request-Id": "a"}
    own.look("GET", "/livez", 200, headers, good)
    assert own.wrong == []
    for method, target, status, kind, body in (
            ("GET", "/livez", 201, "application/json", good),
            ("GET", "/livez", 200, "text/plain", good),
            ("GET", "/livez", 200, "application/json", good + b"x"),
            ("GET", "/livez", 200, "application/json",
             good.replace(b"}}", b',"more":1}}')),
            ("GET", "/livez", 200, "application/json", b'{"data":{}}'),
            ("GET", "/nothing", 200, "application/json", good),
            ("PUT", "/livez", 200, "application/json", good),
            ("GET", "/livez", 400, "application/json",
             b'{"error":{"code":"NEW.CODE"}}')):
        own.look(method, target, status, {**headers, "Content-Type": kind},
                 body)
        assert len(own.wrong) == 1, (method, target, status, kind, body)
        own.wrong.clear()


# --- questions that it allows ---------------------------------------------------------


def day(number):
    return str(datetime.date(2020, 1, 1) + datetime.timedelta(number))


def texts(shortest, longest, without):
    return st.text(st.characters(blacklist_characters=without,
                                 blacklist_categories=("Cs",)),
                   min_size=shortest, max_size=longest)


def valid(schema):
    """A strategy for texts that a schema of a parameter allows."""
    pattern = schema.get("pattern", "")
    if "enum" in schema:
        return st.sampled_from(schema["enum"])
    if schema.get("type") == "integer":
        return st.integers(schema["minimum"], schema["maximum"]).map(str)
    if schema.get("format") == "uuid":
        return st.uuids().map(str)
    if pattern.endswith("Z_[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$"):
        return st.tuples(st.integers(0, 4000), st.uuids()).map(
            lambda pair: f"{day(pair[0])}T00:00:00Z_{pair[1]}")
    if "date" in schema.get("description", ""):
        return st.integers(0, 4000).map(
            lambda number: day(number) + ("T09:37:10Z" if number % 2 else ""))
    if pattern == "^[^,]{1,64}(,[^,]{1,64}){0,15}$":
        return st.lists(texts(1, 64, "\0,"), min_size=1, max_size=16).map(",".join)
    assert not pattern, schema
    return texts(schema.get("minLength", 0), min(schema["maxLength"], 80), "\0")


def ask(stack, path, query):
    return send(stack, "GET", path + "?" + query,
                {"Authorization": authorization(stack.key)})


def encoded(pairs):
    return urllib.parse.urlencode(pairs, errors="surrogatepass")


CASES = [(path, one["name"]) for path in READS for one in parameters_of(path)]


@pytest.mark.parametrize("path,name", CASES)
def test_what_is_allowed_is_answered(stack, path, name):
    schema = next(one["schema"] for one in parameters_of(path)
                  if one["name"] == name)

    @BOUNDED
    @given(valid(schema))
    def answered(value):
        got = ask(stack, path, encoded({name: value}))
        assert got.status_code == 200, (value, got)

    answered()


def in_order(values):
    """A range that ends behind its beginning: with a whole day."""
    if {"date_from", "date_to"} <= set(values):
        first, last = sorted([values["date_from"], values["date_to"]])
        return values | {"date_from": first, "date_to": last[:10]}
    return values


@pytest.mark.parametrize("path", LISTS)
def test_any_filters_together(stack, path):
    filters = {one["name"]: valid(one["schema"]) for one in parameters_of(path)
               if one["name"] not in ("format", "after", "offset")}

    @BOUNDED
    @given(st.fixed_dictionaries({}, optional=filters).map(in_order))
    def answered(values):
        got = ask(stack, path, encoded(values))
        assert got.status_code == 200, (values, got)

    answered()


# --- and questions that it does not ------------------------------------------------------


HOSTILE = ["", "\0", "-1", "1e9", "9" * 400, "0x10", " 1", "1 ", "null",
           "2026-02-30", "2026-13-01T00:00:00Z", "'; drop table shipments;--",
           "x" * 300, "\u202e", "test ", "[]", "{}", "%00"]


def is_allowed(schema, text):
    value = text
    if schema.get("type") == "integer":
        if not re.fullmatch("[0-9]{1,9}", text):
            return False
        value = int(text)
    return "\0" not in text and not list(
        jsonschema.Draft202012Validator(schema).iter_errors(value))


@pytest.mark.parametrize("path,name", CASES)
def test_what_is_not_allowed_is_refused_by_name(stack, path, name):
    schema = next(one["schema"] for one in parameters_of(path)
                  if one["name"] == name)

    @BOUNDED
    @given(st.one_of(st.sampled_from(HOSTILE), st.text(max_size=300)))
    def refused(value):
        try:
            query = encoded({name: value})
        except UnicodeEncodeError:
            return
        got = ask(stack, path, query)
        if is_allowed(schema, value):  # a date may still not exist
            assert got.status_code in (200, 400), (value, got)
            return
        error = assert_error(got, 400, "PARAMETER.INVALID", easypost=False)
        assert name in error["message"], error
        assert [one["field"] for one in error["errors"]] == [name], error

    refused()
    value = next(iter(schema.get("enum", ["1"])))
    twice = assert_error(ask(stack, path, f"{name}={value}&{name}={value}"),
                         400, "PARAMETER.REPEATED", easypost=False)
    assert twice["errors"][0]["field"] == name


@pytest.mark.parametrize("path", READS)
def test_what_is_unknown_is_refused_by_name(stack, path):
    known = {one["name"] for one in parameters_of(path)}
    target = path.replace("{id}", str(uuid.uuid4()))

    @BOUNDED
    @given(st.text(min_size=1, max_size=60).filter(
        lambda name: name not in known and "\0" not in name))
    def refused(name):
        try:
            query = encoded({name: "1"})
        except UnicodeEncodeError:
            return
        error = assert_error(ask(stack, target, query), 400,
                             "PARAMETER.UNKNOWN", easypost=False)
        assert all(one in error["message"] for one in known), error

    refused()
    for query in ("a%00=1", "a=%00", "a=%ff", "%zz=1", "a=%",
                  "&".join(f"a{number}=1" for number in range(65))):
        assert_error(ask(stack, target, query), 400, (
            "PARAMETER.INVALID", "PARAMETER.UNKNOWN"), easypost=False)


@pytest.mark.parametrize("path", LISTS)
def test_contradictions_are_refused(stack, path):
    after = next(one["schema"] for one in parameters_of(path)
                 if one["name"] == "after")["examples"][0]
    for query, field in ((f"offset=1&after={after}", "after"),
                         ("format=csv&limit=1", "limit"),
                         ("format=ndjson&offset=1", "offset")):
        error = assert_error(ask(stack, path, query), 400,
                             "PARAMETER.INVALID", easypost=False)
        assert error["errors"][0]["field"] == field


@pytest.mark.parametrize("path", [path for path in READS if "{" in path])
def test_any_id_is_found_or_refused(stack, path):
    @BOUNDED
    @given(st.one_of(
        st.text(st.characters(whitelist_categories=("L", "N", "P")),
                min_size=1, max_size=80),
        st.from_regex(r"\A[a-z]{1,4}_[A-Za-z0-9]{1,40}\Z"),
        st.uuids().map(str)))
    def found(text):
        name = urllib.parse.quote(text, safe="")
        if name in (".", ".."):
            return
        got = send(stack, "GET", path.replace("{id}", name),
                   {"Authorization": authorization(stack.key)})
        assert got.status_code in (200, 400, 404), got
        if got.status_code == 400:
            error = assert_error(got, 400)
            assert error["errors"][0]["field"] == "id" \
                or error["code"] == "REQUEST.MALFORMED", error

    found()


# --- bodies ---------------------------------------------------------------------------


JSON = st.recursive(
    st.one_of(st.none(), st.booleans(), st.integers(), st.text(max_size=20),
              st.floats(allow_nan=False, allow_infinity=False)),
    lambda inner: st.one_of(
        st.lists(inner, max_size=4),
        st.dictionaries(st.text(max_size=10), inner, max_size=4)),
    max_leaves=8)


def places(document, at=()):
    """Every place of a document, the whole first."""
    yield at
    pairs = document.items() if isinstance(document, dict) \
        else enumerate(document) if isinstance(document, list) else ()
    for key, value in pairs:
        yield from places(value, (*at, key))


def changed(document, at, value):
    if not at:
        return value
    copy = dict(document) if isinstance(document, dict) else list(document)
    copy[at[0]] = changed(document[at[0]], at[1:], value)
    return copy


@pytest.mark.parametrize("verb,path", WRITES)
def test_bodies_that_are_changed_somewhere(stack, verb, path):
    """Answered or refused as the contract says, and never a failure."""
    body = STORY.operations[verb, path]["requestBody"]
    schema = body["content"]["application/json"]["schema"]
    good = schema["examples"][0]

    @settings(BOUNDED, max_examples=25)
    @given(st.sampled_from(list(places(good))), JSON)
    def survives(at, value):
        text = json.dumps(changed(good, at, value))
        got = send(stack, verb, path.replace("{id}", str(uuid.uuid4())),
                   {"Authorization": authorization(stack.key),
                    "Content-Type": "application/json"},
                   text.encode("utf-8", "surrogatepass"))
        assert got.status_code < 500, (text, got)
        if 400 <= got.status_code < 500:
            assert_error(got, easypost=False)

    survives()


# --- failures that need help to happen ---------------------------------------------------


def test_a_statement_that_the_server_ends(stack, db):
    """Somebody cancels it: that is not an outage, but the time ran out."""
    own = Client(stack, stack.key)
    mark = unique("cancelled-")
    answers = []
    db("begin; lock table waybill.webhook_events in access exclusive mode")
    try:
        thread = threading.Thread(target=lambda: answers.append(
            own.get(f"/db/webhooks?object_id={mark}"[:80])))
        thread.start()
        wait_until(lambda: db(
            "select pg_cancel_backend(pid) from pg_stat_activity where "
            "wait_event_type = 'Lock' and application_name like 'waybill%%'"),
            10, "the read that waits")
        thread.join(20)
    finally:
        db("rollback")
    assert_error(answers[0], 504, "DATABASE.TIMEOUT", easypost=False)


def test_what_nobody_foresaw(stack, db):
    """A right of the worker is missing: an error of ours, without a word of why."""
    db("revoke select on api.batch_operations from waybill_worker")
    try:
        got = Client(stack, stack.key).get("/db/batch-operations")
    finally:
        db("grant select on api.batch_operations to waybill_worker")
    assert_error(got, 500, "INTERNAL", easypost=False)


def test_some_workers_stay_free_of_exports(stack, db):
    """All of them wait for a table; the first that is one too many is told."""
    db("begin; lock table waybill.batch_operations in access exclusive mode")
    try:
        answers = parallel(6, lambda _: Client(stack, stack.key).get(
            "/db/batch-operations?format=csv"))
    finally:
        db("rollback")
    busy = [one for one in answers if one.status_code == 429]
    assert 0 < len(busy) < 6
    for one in busy:
        assert_error(one, 429, "EXPORTS.BUSY", easypost=False)
        assert int(one.headers["Retry-After"]) > 0


def test_a_pool_that_stands_still(make_stack):
    """nginx answers for it, when its own time is over."""
    own = make_stack()
    still = [own.pids["webhook"], *workers(own, "webhook")]
    for pid in still:
        os.kill(pid, signal.SIGSTOP)
    try:
        got = deliver(Client(own), documents.event("tracker.updated",
                                                   documents.tracker()))
    finally:
        for pid in still:
            os.kill(pid, signal.SIGCONT)
    assert_error(got, 504, "GATEWAY.TIMEOUT", easypost=False)


@pytest.mark.parametrize("verb,prefix", [
    (verb, prefix) for prefix in ("/v2/", "/beta/")
    for verb in ("GET", "POST", "PUT", "PATCH", "DELETE", "OPTIONS")])
def test_where_easypost_points_to_comes_down(client, sim, verb, prefix):
    path = prefix + unique("moved_")
    sim.canned(verb, path, b"{}", status=302,
               headers={"Location": "https://example.com/"})
    got = client(verb, path)
    assert (got.status_code, got.headers["Location"]) \
        == (302, "https://example.com/")
    if verb == "OPTIONS":
        sim.canned(verb, path, b"{}")
        assert client(verb, path).status_code == 200
