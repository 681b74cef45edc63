"""What the tests share: talking to a stack, waiting, looking, judging.

Nothing in here knows how Waybill works inside: it speaks HTTP to it, SQL to
its database and looks at its processes, as an administrator would.
"""

import base64
import concurrent.futures
import contextlib
import hashlib
import hmac
import http.client
import json
import os
import re
import signal
import socket
import ssl
import threading
import unicodedata
import urllib.parse
import uuid

import psycopg2
import requests

import contract
from env.wait import wait_until

ROOT = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))


def parallel(count, work):
    """work(0), work(1), ... all at the same moment; their results in order."""
    gate = threading.Barrier(count)

    def one(number):
        gate.wait(30)
        return work(number)

    with concurrent.futures.ThreadPoolExecutor(count) as threads:
        return list(threads.map(one, range(count)))


def unique(prefix=""):
    """A value that no other test has."""
    return prefix + uuid.uuid4().hex


# --- talking HTTP -----------------------------------------------------------


class Client:
    """requests, with the stack's certificate and one key."""

    def __init__(self, stack, key=None, *, scheme="Bearer", timeout=20):
        self.stack = stack
        self.timeout = timeout
        self.session = requests.Session()
        self.session.trust_env = False
        self.session.verify = stack.ca
        self.session.headers["Accept"] = "application/json"
        # Answers of this moment: nginx keeps reads for a second.
        self.session.headers["Cache-Control"] = "no-cache"
        if key:
            self.session.headers["Authorization"] = authorization(key, scheme)

    def __call__(self, method, path, **options):
        options.setdefault("timeout", self.timeout)
        options.setdefault("allow_redirects", False)
        if "document" in options:
            options["data"] = compact(options.pop("document"))
            options.setdefault("headers", {})
            options["headers"].setdefault("Content-Type", "application/json")
        got = self.session.request(method, self.stack.url + path, **options)
        if not options.get("stream"):
            contract.look(method, path, got.status_code, got.headers,
                          got.content)
        return got

    def get(self, path, **options):
        return self("GET", path, **options)

    def post(self, path, **options):
        return self("POST", path, **options)


def authorization(key, scheme="Bearer"):
    """The header's value for a key, in either of the two documented ways."""
    if scheme.lower() == "basic":
        return scheme + " " + base64.b64encode(f"{key}:".encode()).decode()
    return scheme + " " + key


class Answer:
    """What came back on a raw connection."""

    def __init__(self, status, headers, body):
        self.status_code = status
        self.headers = requests.structures.CaseInsensitiveDict(headers)
        self.header_list = headers
        self.content = body

    @property
    def text(self):
        return self.content.decode("utf-8", "replace")

    def json(self):
        return json.loads(self.content)

    def __repr__(self):
        return f"<{self.status_code} {self.content[:300]!r}>"


def connect(stack, timeout=20):
    """A TLS connection to the stack's nginx."""
    where = urllib.parse.urlsplit(stack.url)
    context = ssl.create_default_context(cafile=stack.ca)
    plain = socket.create_connection((where.hostname, where.port), timeout)
    return context.wrap_socket(plain, server_hostname=where.hostname)


def send(stack, method, target, headers=None, body=None, *, timeout=20):
    """One request whose target and headers are sent exactly as given."""
    where = urllib.parse.urlsplit(stack.url)
    wire = connect(stack, timeout)
    try:
        head = [f"{method} {target} HTTP/1.1", f"Host: {where.netloc}"]
        pairs = headers.items() if isinstance(headers, dict) else headers or []
        head += [f"{name}: {value}" for name, value in pairs]
        names = {name.lower() for name, _ in pairs}
        if body is not None and "content-length" not in names:
            head.append(f"Content-Length: {len(body)}")
        head.append("Connection: close")
        text = "\r\n".join(head) + "\r\n\r\n"
        wire.sendall(text.encode("latin-1") + (body or b""))
        got = read_answer(wire, method)
        contract.look(method, target, got.status_code, got.headers,
                      got.content)
        return got
    finally:
        wire.close()


def send_bytes(stack, data, *, method="GET", timeout=20, half_close=False):
    """Raw bytes; the answer, or None when the server just hangs up."""
    wire = connect(stack, timeout)
    try:
        with contextlib.suppress(OSError):
            wire.sendall(data)
        if half_close:
            with contextlib.suppress(OSError):
                wire.unwrap()
            return None
        try:
            got = read_answer(wire, method)
        except (http.client.HTTPException, OSError):
            return None
        contract.look_at_bytes(data, got.status_code, got.headers,
                               got.content)
        return got
    finally:
        wire.close()


def read_answer(wire, method="GET"):
    answer = http.client.HTTPResponse(wire, method=method)
    answer.begin()
    return Answer(answer.status, answer.getheaders(), answer.read())


def compact(document):
    """Bytes as EasyPost would send them."""
    if isinstance(document, bytes):
        return document
    text = json.dumps(document, separators=(",", ":"), ensure_ascii=False)
    return text.encode()


def assert_error(answer, status=None, code=None, *, easypost=None):
    """A refusal of the gateway, in the right envelope; returns the error."""
    if status is not None:
        allowed = (status,) if isinstance(status, int) else tuple(status)
        assert answer.status_code in allowed, (answer.status_code, answer.text)
    kind = answer.headers.get("Content-Type", "")
    assert kind.startswith("application/json"), (kind, answer.text[:300])
    document = answer.json()
    if easypost:
        assert set(document) == {"error"}, document
    elif easypost is False:
        assert set(document) == {"status", "error", "request_id"}, document
    if "status" in document:
        assert document["status"] == "error"
        assert document["request_id"] == answer.headers["X-Request-Id"]
    error = document["error"]
    assert isinstance(error["code"], str) and error["code"], error
    assert isinstance(error["message"], str) and error["message"], error
    assert isinstance(error["errors"], list), error
    assert re.fullmatch(r"[A-Za-z0-9._-]{1,64}", answer.headers["X-Request-Id"])
    assert_no_internals(answer.text)
    if code is not None:
        allowed = (code,) if isinstance(code, str) else tuple(code)
        assert error["code"] in allowed, error
    return error


def assert_no_internals(text):
    """Nothing in an error that tells how we are built."""
    for word in ("select *", "SQLSTATE", "PGresult", "pg_", "api.", "psql",
                 ".c:", "libcurl", "/tmp/", "/run/", "/var/", "waybill_",
                 "Traceback", "<html"):
        assert word not in text, (word, text[:500])


# --- the configuration as the stack wrote it -------------------------------


def setting(stack, key):
    """A value of the stack's configuration file; "" when it is not set."""
    with open(stack.conf_file, encoding="utf-8") as file:
        for line in file:
            name, mark, value = line.strip().partition("=")
            if mark and name == key:
                return value.strip("\"'")
            if mark and name == key + "_FILE":
                with open(value.strip("\"'"), encoding="utf-8") as secret:
                    return secret.read().removesuffix("\n")
    return ""


@contextlib.contextmanager
def changed_settings(stack, pools, changes):
    """Other settings for a while: the file is rewritten, the pools reload."""
    with open(stack.conf_file, encoding="utf-8") as file:
        before = file.read()
    names = {name.removesuffix("_FILE") for name in changes}
    kept = [line for line in before.splitlines()
            if line.partition("=")[0].removesuffix("_FILE") not in names]
    kept += [f'{key}="{value}"' for key, value in changes.items()
             if value is not None]
    try:
        write_settings(stack, pools, "\n".join(kept) + "\n")
        yield
    finally:
        write_settings(stack, pools, before)


def write_settings(stack, pools, text):
    with open(stack.conf_file, "w", encoding="utf-8") as file:
        file.write(text)
    for pool in pools:
        reload_pool(stack, pool)


def reload_pool(stack, pool):
    """SIGHUP; returns when every worker is a new one."""
    supervisor = supervisor_pid(stack, pool)
    before = set(children(supervisor))
    os.kill(supervisor, signal.SIGHUP)
    wait_until(lambda: children(supervisor)
               and not before & set(children(supervisor)),
               20, f"the reload of {pool}")


# --- processes --------------------------------------------------------------


def supervisor_pid(stack, pool):
    pid = stack.pids[pool]
    return pid.pid if hasattr(pid, "pid") else int(pid)


def children(pid):
    """Living children of a process, as the kernel knows them."""
    found = []
    with contextlib.suppress(FileNotFoundError, ProcessLookupError):
        for task in os.listdir(f"/proc/{pid}/task"):
            with open(f"/proc/{pid}/task/{task}/children",
                      encoding="ascii") as file:
                found += [int(word) for word in file.read().split()]
    return [child for child in found if state_of(child) not in ("Z", None)]


def state_of(pid):
    """R, S, T, Z ...; None when there is no such process."""
    try:
        with open(f"/proc/{pid}/stat", encoding="latin-1") as file:
            return file.read().rpartition(")")[2].split()[0]
    except (FileNotFoundError, ProcessLookupError):
        return None


def memory_kb(pid):
    """PSS: what the process takes for itself, and its part of what is shared."""
    with open(f"/proc/{pid}/smaps_rollup", encoding="ascii") as file:
        return next(int(line.split()[1]) for line in file
                    if line.startswith("Pss:"))


def workers(stack, pool):
    return children(supervisor_pid(stack, pool))


def all_workers(stack):
    return {pool: sorted(workers(stack, pool))
            for pool in ("read", "webhook", "upstream")}


# --- the database -----------------------------------------------------------


class Database:
    """The tables, seen with an administrator's rights.

    With a stack row() first waits for the spool to be empty: on a busy machine a
    record goes that way whenever the database needs half a second.
    """

    def __init__(self, url, stack=None):
        self.stack = stack
        self.connection = psycopg2.connect(url, connect_timeout=10)
        self.connection.autocommit = True
        self("set search_path = waybill, public")
        self("set timezone = 'UTC'")

    def __call__(self, sql, *values):
        """The rows; values are for %s, or one dict for %(name)s."""
        if values and isinstance(values[0], dict):
            values = values[0]
        with self.connection.cursor() as cursor:
            cursor.execute(sql, values or None)
            return cursor.fetchall() if cursor.description else []

    def one(self, sql, *values):
        rows = self(sql, *values)
        assert len(rows) == 1, (sql, values, rows)
        return rows[0] if len(rows[0]) > 1 else rows[0][0]

    def row(self, table, easypost_id):
        """The row of an EasyPost object as a dict; None when there is none."""
        self.catch_up()
        with self.connection.cursor() as cursor:
            cursor.execute(f"select * from {table} where easypost_id = %s",
                           (easypost_id,))
            rows = cursor.fetchall()
            assert len(rows) <= 1, (table, rows)
            names = [column.name for column in cursor.description]
        return dict(zip(names, rows[0])) if rows else None

    def catch_up(self):
        if self.stack:
            wait_recorded(self.stack)

    def close(self):
        self.connection.close()


# --- the simulator's control routes ----------------------------------------


class Simulator:
    """EasyPost's stand-in, told what to do and asked what it saw."""

    def __init__(self, base, verify=True):
        self.base = base.rstrip("/")
        self.session = requests.Session()
        self.session.trust_env = False
        self.session.verify = verify

    def _post(self, path, document):
        answer = self.session.post(self.base + "/_sim" + path, timeout=10,
                                   data=json.dumps(document))
        assert answer.status_code < 300, (path, answer.text)
        return answer.json() if answer.content else None

    def _get(self, path):
        answer = self.session.get(self.base + "/_sim" + path, timeout=10)
        assert answer.status_code == 200, (path, answer.text)
        return answer.json()

    def calls(self, part=""):
        """The requests that arrived whose path and query hold `part`."""
        seen = self._get("/calls")
        seen = seen["calls"] if isinstance(seen, dict) else seen
        return [call for call in seen
                if part in call["path"] + "?" + (call["query"] or "")]

    def fault(self, match, kind, **more):
        return self._post("/fault", {"match": match, "kind": kind, **more})

    def canned(self, method, path, body=b"", *, query="", status=200,
               headers=None, times=None):
        """From now on this very request gets these very bytes; or only so
        many times."""
        body = compact(body)
        given = {"Content-Type": "application/json; charset=utf-8"}
        given.update(headers or {})
        if status == 204:
            given = dict(headers or {})
        self._post("/canned", {
            "method": method, "path": path, "query": query, "status": status,
            "headers": given, "times": times,
            "body_base64": base64.b64encode(body).decode()})

    def state(self, object_id):
        return self._get("/state/" + object_id)

    def advance(self, tracker_id):
        return self._post(f"/tracker/{tracker_id}/advance", {})

    def bill(self, object_id, amount):
        return self._post("/invoice/" + object_id, {"amount": amount})

    def deliver(self, **what):
        return self._post("/deliver", what)

    def webhook(self, url, secret):
        return self._post("/webhook", {"url": url, "secret": secret})

    def events(self):
        seen = self._get("/events")
        return seen["events"] if isinstance(seen, dict) else seen


# --- signed webhooks --------------------------------------------------------


def digest(secret, body, *, normalise=True):
    """What EasyPost computes over the raw bytes."""
    if normalise:
        secret = unicodedata.normalize("NFKD", secret)
    return hmac.new(secret.encode(), body, hashlib.sha256).hexdigest()


def signed(secret, body, header="X-Hmac-Signature", prefix="hmac-sha256-hex="):
    return {"Content-Type": "application/json",
            header: prefix + digest(secret, body)}


def deliver(client, event, *, secret=None, headers=None):
    """One delivery as EasyPost would make it."""
    body = compact(event)
    if secret is None:
        secret = setting(client.stack, "EASYPOST_WEBHOOK_SECRET")
    if headers is None:
        headers = signed(secret, body)
    return client.post("/webhooks/easypost", data=body, headers=headers)


def wait_recorded(stack):
    """Until all that was answered is in the database: where that is too slow, on a
    busy machine, records go by the spool."""
    place = os.path.join(stack.spool_dir, "new")
    wait_until(lambda: not os.listdir(place), 30, "an empty spool")


def deliver_recorded(client, event):
    """A delivery that is in the database when this ends."""
    assert deliver(client, event).status_code == 200
    wait_recorded(client.stack)


# --- equal tables -----------------------------------------------------------


class Footprint:
    """All rows of a set of documents, in every table, without bookkeeping.

    `marks` are EasyPost ids.  Rows that name one of them, and rows that name
    the key of such a row, belong to the footprint.  `without` are tables, and
    columns as "table.column" or "*.column", that tell when and how a row came
    and not what is known.
    """

    def __init__(self, db, marks, without):
        self.db = db
        self.marks = list(marks)
        self.without = set(without)
        self.tables = {row[0]: row[1] for row in db("""
            select relname, bool_or(attname = 'id')
            from pg_class c join pg_attribute on attrelid = c.oid
            where relnamespace = 'waybill'::regnamespace
            and relkind in ('r', 'p') and not relispartition
            group by 1 order by 1""")}

        self.patterns = None
        # What is older is others': it need not be made a text to be looked at.
        since = db("select pg_current_xact_id()::text::bigint")[0][0]
        self.ours = f"case when t.xmin::text::bigint >= {since} then t::text end"

    def _find(self):
        """The words by which a row belongs to us: ids, then keys of rows."""
        words = set(self.marks)
        for _ in range(2):
            patterns = [f"%{word}%" for word in sorted(words)]
            for table, has_id in self.tables.items():
                if has_id:
                    words |= {row[0] for row in self.db(
                        f"select t.id::text from {table} t "
                        f"where {self.ours} like any (%s)", patterns)}
        return [f"%{word}%" for word in sorted(words)]

    def rows(self):
        """By table, sorted.  Keys are made from ids and times, so they are
        looked for once only: this is called very often."""
        self.patterns = self.patterns or self._find()
        parts = []
        for table in self.tables:
            if table not in self.without:
                hidden = [name.partition(".")[2] for name in self.without
                          if name.partition(".")[0] in (table, "*")]
                parts.append(
                    f"select '{table}', to_jsonb(t) - "
                    f"'{{{','.join(hidden)}}}'::text[] from {table} t "
                    f"where {self.ours} like any (%(words)s)")
        found = {}
        for table, row in self.db(" union all ".join(parts),
                                  {"words": self.patterns}):
            found.setdefault(table, []).append(
                json.dumps(row, sort_keys=True))
        return {table: sorted(rows) for table, rows in found.items()}

    def forget(self):
        """Deletes the rows, so that the same story can be told again."""
        orders = "".join(
            f"delete from {table} t where {self.ours} like any (%(words)s);"
            for table in self.tables)
        self.db("begin; set local session_replication_role = replica;"
                f"{orders} commit", {"words": self.patterns or self._find()})
