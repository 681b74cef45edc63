"""What the tests before left behind on this stack: looked at last, hence the
name.  Each shared stack is looked through once more at its own end, see
traces.py and the fixtures."""

import json
import os
import re

import documents
import traces
from env import stack as environment
from env.process import Process
from helpers import Client, Database, deliver, wait_until


def test_no_secret_is_in_a_log_or_in_the_database(stack):
    assert len(b"".join(stack.logs().values())) > 100
    assert traces.of(stack) == []


def test_the_search_finds_what_is_there(stack):
    """Else the test above would prove nothing."""
    event = documents.event("wombat.born", {"note": stack.key})
    assert deliver(Client(stack), event).status_code == 200
    place = os.path.join(stack.log_dir, "probe.log")
    with open(place, "w", encoding="utf-8") as file:
        file.write(f"x {traces.basic(stack.key_production)} y\n")
    record = os.path.join(stack.spool_dir, "probe")
    with open(record, "w", encoding="utf-8") as file:
        file.write(json.dumps(stack.settings["EASYPOST_WEBHOOK_SECRET"]))
    os.chmod(record, 0o640)
    found = "\n".join(traces.of(stack))
    os.unlink(place)
    os.unlink(record)
    Database(stack.database_url)("delete from webhook_events "
                                 "where easypost_id = %s", event["id"])
    assert "the tests' key: in the database" in found
    assert "the production key: in probe.log" in found
    assert "EASYPOST_WEBHOOK_SECRET: in spool/probe" in found
    assert "spool/probe has the mode 640" in found
    assert traces.of(stack) == []


def test_the_search_finds_what_a_process_shows(stack):
    probe = Process("probe", ["sleep", "60"], log=os.devnull,
                    directory=stack.directory, environment={"X": stack.key})
    try:
        probe.start()
        seen = dict(traces.processes_of(stack))[f"process {probe.pid}"]
        assert stack.key.encode() in seen
    finally:
        probe.kill()


def test_refusals_are_looked_at(stack):
    body = json.dumps({"error": stack.key}).encode()
    before = len(environment.troubles)
    traces.look("GET", "/x", 200, {}, body)
    assert len(environment.troubles) == before
    traces.look("GET", "/x", 401, {}, body)
    assert environment.troubles.pop() \
        == "the tests' key: told with 401 to GET /x"


def test_no_panic_and_no_report_of_a_sanitizer(stack):
    assert stack.trouble() == []


def test_every_request_has_its_line(stack):
    """The id of the last answer is in nginx's log and in the service's."""
    got = stack.request("GET", "/db/shipments?limit=1", key=stack.key)
    own = got.headers["X-Request-Id"].encode()
    for kinds in (("read",), ("nginx", "waybill")):
        wait_until(lambda kinds=kinds: any(
            own in text for name, text in stack.logs().items()
            if name.startswith(kinds)), 5, f"the line of {kinds}")


def test_no_worker_crashed(stack):
    """Crashes that were not ordered by a test would be logged."""
    for pool in ("read", "webhook", "upstream"):
        text = stack.logs()[pool + ".log"].decode("utf-8", "replace")
        assert not re.search(r"signal[= \"]+(4|6|7|8|11)\b", text), pool
    assert not [name for name in os.listdir(stack.directory)
                if name.startswith("core")]


def test_every_session_of_the_database_says_who_it_is(stack):
    db = Database(stack.database_url)
    rows = db("select application_name, usename from pg_stat_activity "
              "where datname = current_database() "
              "and pid <> pg_backend_pid() and backend_type = "
              "'client backend'")
    named = [name for name, _ in rows if "waybill" in name]
    assert named
    db.close()
