"""What all other tests left behind: looked at last, hence the name."""

import base64
import os
import re
import subprocess

from helpers import Database, setting, wait_until

SECRETS = ["EASYPOST_API_KEY", "EASYPOST_TEST_API_KEY",
           "EASYPOST_WEBHOOK_SECRET"]


def forms(secret):
    """A secret and how it would look in other clothes."""
    raw = secret.encode()
    basic = base64.b64encode(raw + b":").decode()
    return {secret, raw.hex(), basic,
            base64.b64encode(raw).decode().rstrip("=")}


def secrets_of(stack):
    found = {name: setting(stack, name) for name in SECRETS}
    found["the tests' key"] = stack.key
    found["the production key"] = stack.key_production
    assert all(found.values())
    return found


def test_no_secret_is_in_any_log(stack):
    logs = {name: text.decode("utf-8", "replace")
            for name, text in stack.logs().items()
            if not name.startswith(("simulator", "postgres"))}
    assert len("".join(logs.values())) > 1000
    for name, secret in secrets_of(stack).items():
        for log, text in logs.items():
            for form in forms(secret):
                assert form not in text, (name, log)


def test_no_secret_is_in_the_log_of_the_database(stack):
    text = stack.logs()["postgres.log"].decode("utf-8", "replace")
    for name, secret in secrets_of(stack).items():
        for form in forms(secret):
            assert form not in text, name


def test_no_secret_is_in_the_database(stack):
    dump = subprocess.run(
        ["pg_dump", "--data-only", stack.database_url], check=True,
        capture_output=True).stdout.decode("utf-8", "replace")
    for name, secret in secrets_of(stack).items():
        for form in forms(secret):
            assert form not in dump, name


def test_no_key_of_any_kind_is_in_a_log(stack):
    """Not even one that a test made up, as long as it looks like one."""
    key = re.compile(r"\bwb_[A-Za-z0-9_-]{43}\b|\bEZ[TA]K[0-9a-f]{54}\b")
    for name, text in stack.logs().items():
        if name.startswith("simulator"):
            continue
        found = key.search(text.decode("utf-8", "replace"))
        assert not found, (name, found)


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
