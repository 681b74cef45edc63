"""`waybill webhook`: EasyPost's side, the secret, and a delivery of our own."""

import contextlib
import os
import re
import stat
import subprocess

import pytest

import documents
import traces
from env import stack as environment
from env.process import ENVIRONMENT
from env.stack import Stack
from fixtures import simulator
from helpers import (Client, Database, compact, deliver, setting, signed,
                     wait_until)

SECRET, PREVIOUS = "webhook-secret", "webhook-secret-previous"
PATH = "/webhooks/easypost"


class Host:
    """A stack whose webhook secrets are in the files that systemd would give to
    the service, and its operator."""

    def __init__(self, folder):
        self.secrets = os.path.join(folder, "secrets")
        os.makedirs(self.secrets, mode=0o700)
        for name in (SECRET, PREVIOUS):
            self.write(name, "")
        self.stack = Stack(
            folder, conf={"WORKERS": "6", "WORKERS_OVERFLOW": "0",
                          "EASYPOST_WEBHOOK_SECRET": None},
            environment={
                "EASYPOST_WEBHOOK_SECRET_FILE": self.path(SECRET),
                "EASYPOST_WEBHOOK_SECRET_PREVIOUS_FILE": self.path(PREVIOUS)})

    def path(self, name):
        return os.path.join(self.secrets, name)

    def read(self, name):
        with open(self.path(name), encoding="utf-8") as file:
            return file.read().removesuffix("\n")

    def write(self, name, text):
        with open(os.open(self.path(name), os.O_WRONLY | os.O_CREAT | os.O_TRUNC,
                          0o600), "w", encoding="utf-8") as file:
            file.write(text)

    @property
    def url(self):
        return self.stack.url + PATH

    def __call__(self, *words, status=0, conf=None, **variables):
        """`waybill webhook WORDS`, as root types it; what it said."""
        done = subprocess.run(
            [self.stack.service.program("waybill"), "-c",
             conf or self.stack.conf_file, "webhook", *words],
            capture_output=True, text=True, timeout=60, check=False,
            env={**ENVIRONMENT, **variables})
        said = done.stdout + done.stderr
        assert done.returncode == status, (words, done.returncode, said)
        hidden = [setting(self.stack, "EASYPOST_API_KEY"),
                  setting(self.stack, "EASYPOST_TEST_API_KEY"),
                  self.read(SECRET), self.read(PREVIOUS)]
        assert not [one for one in hidden if one and one in said]
        return said

    def register(self, *words, **more):
        return self("register", self.url, "--ca", self.stack.ca, *words, **more)

    def test(self, *words, **more):
        return self("test", "--ca", self.stack.ca, *words, **more)


@pytest.fixture(scope="module")
def host(tmp_path_factory):
    one = Host(str(tmp_path_factory.mktemp("host")))
    with one.stack:
        yield one
        environment.troubles.extend(traces.of(one.stack))


@pytest.fixture
def easypost(host):
    """Without any webhook, and nothing that was told to it before."""
    sim = simulator(host.stack)
    for path in ("/webhook", "/fault", "/canned", "/calls"):
        assert sim.session.delete(sim.base + "/_sim" + path,
                                  timeout=10).status_code == 200
    return sim


@pytest.fixture
def rows(host):
    found = Database(host.stack.database_url)
    yield found
    found.close()


@pytest.fixture
def secret(host):
    """The service has it, and no other."""
    if not host.read(SECRET) or host.read(PREVIOUS):
        host.write(SECRET, "a \u00e9 \"quoted\" \\ secret\n")
        host.write(PREVIOUS, "")
        host.stack.restart("webhook")
    return host.read(SECRET)


def hooks_of(easypost, host, mode="test"):
    name = {"test": "EASYPOST_TEST_API_KEY",
            "production": "EASYPOST_API_KEY"}[mode]
    got = easypost.session.get(
        easypost.base + "/v2/webhooks", timeout=10,
        headers={"Authorization": "Bearer " + setting(host.stack, name)})
    return got.json()["webhooks"]


def emit(easypost):
    """Something happens to a parcel at EasyPost; the event's id."""
    event = easypost._post("/emit", {
        "description": "tracker.updated", "result": documents.tracker(),
        "previous_attributes": {"status": "unknown"}})
    easypost._post("/idle", {"timeout": 20})
    return event["id"]


def statuses(easypost, event_id):
    """How its deliveries were answered."""
    return [one["status"] for one in easypost._post(
        "/deliver", {"event_id": event_id})["results"]]


# --- from nothing to a changed secret ------------------------------------------


def test_from_nothing_to_a_changed_secret(host, easypost, rows):
    host.write(SECRET, "")
    host.write(PREVIOUS, "")
    host.stack.restart("webhook")
    said = host.register(status=1)
    assert host.path(SECRET) in said
    assert "waybill webhook new-secret" in said

    said = host("new-secret")
    assert "sudo systemctl restart waybill-webhook" in said
    assert re.fullmatch("[0-9a-f]{64}", host.read(SECRET))
    assert stat.S_IMODE(os.stat(host.path(SECRET)).st_mode) == 0o600
    assert host.read(PREVIOUS) == ""
    first = host.read(SECRET)

    # The service does not have it yet: EasyPost would deliver in vain.
    said = host.register(status=1)
    assert "systemctl restart waybill-webhook" in said
    assert hooks_of(easypost, host) == []

    host.stack.restart("webhook")
    said = host.register()
    assert "accepts the secret" in said
    assert "The secret before" not in said
    for mode in ("test", "production"):
        (hook,) = hooks_of(easypost, host, mode)
        assert hook["url"] == host.url
        assert f"{mode}: registered as {hook['id']}" in said
    event = emit(easypost)
    assert rows("select state from webhook_events where easypost_id = %s",
                event) == [("applied",)]

    # Another secret: both are accepted before EasyPost hears of it.
    host("new-secret")
    assert host.read(PREVIOUS) == first != host.read(SECRET)
    assert stat.S_IMODE(os.stat(host.path(PREVIOUS)).st_mode) == 0o600
    said = host.register(status=1)
    assert "answered 401" in said and "EasyPost was not told" in said
    assert statuses(easypost, emit(easypost)) == [200]
    host.stack.restart("webhook")
    assert statuses(easypost, emit(easypost)) == [200]
    said = host.register()
    assert said.count("EasyPost has this host's secret now") == 2
    assert "sudo truncate -s 0 " + host.path(PREVIOUS) in said
    assert len(hooks_of(easypost, host)) == 1
    assert statuses(easypost, emit(easypost)) == [200]

    # A third one would push out what may be on its way.
    before = host.read(SECRET), host.read(PREVIOUS)
    said = host("new-secret", status=1)
    assert "a change is under way" in said and host.path(PREVIOUS) in said
    assert (host.read(SECRET), host.read(PREVIOUS)) == before

    host.write(PREVIOUS, "")
    host.stack.restart("webhook")
    assert statuses(easypost, emit(easypost)) == [200]


def test_a_configured_secret_is_not_changed_by_a_file(host):
    said = host("new-secret", status=1,
                EASYPOST_WEBHOOK_SECRET="in-the-environment")
    assert "EASYPOST_WEBHOOK_SECRET is in the configuration" in said


def test_a_secret_that_cannot_be_written_is_told(host, tmp_path):
    conf = tmp_path / "waybill.conf"
    conf.write_text("")
    said = host("new-secret", status=1, conf=str(conf))
    assert str(tmp_path / "secrets" / SECRET) in said
    assert "No such file or directory" in said


# --- register ---------------------------------------------------------------------


def test_any_secret_arrives_as_it_is(host, easypost, secret):
    host.register("--mode", "test")
    assert statuses(easypost, emit(easypost)) == [200]
    assert "quoted" in secret or re.fullmatch("[0-9a-f]{64}", secret)


def test_what_is_disabled_is_enabled(host, easypost, secret):
    easypost._post("/webhook", {"url": host.url, "secret": "older",
                                "mode": "test", "disabled": True})
    (hook,) = hooks_of(easypost, host)
    assert f"disabled since {hook['disabled_at']}" in host("list")
    said = host.register("--mode", "test")
    assert f"{hook['id']} was disabled since {hook['disabled_at']}" in said
    (after,) = hooks_of(easypost, host)
    assert (after["id"], after["disabled_at"]) == (hook["id"], None)
    assert hooks_of(easypost, host, "production") == []
    assert statuses(easypost, emit(easypost)) == [200]


def test_others_stay_as_they_are(host, easypost, secret):
    easypost.webhook("https://other.example.com" + PATH, "theirs")
    easypost.webhook(host.stack.url + "/elsewhere", "theirs")
    host.register()
    changed = [call["method"] + " " + call["path"] for call in easypost.calls()
               if call["method"] != "GET"]
    assert changed == ["POST /v2/webhooks"] * 2


def test_registered_twice_is_told_and_one_can_go(host, easypost, secret):
    host.register("--mode", "test")
    easypost.session.post(
        easypost.base + "/v2/webhooks", timeout=10,
        json={"webhook": {"url": host.url}}, headers={
            "Authorization": "Bearer " + setting(host.stack,
                                                 "EASYPOST_TEST_API_KEY")})
    first, second = hooks_of(easypost, host)
    said = host.register("--mode", "test")
    assert "registered 2 times" in said
    assert said.count("EasyPost has this host's secret now") == 2
    assert f"{second['id']} is no more" in host("delete", second["id"])
    assert [hook["id"] for hook in hooks_of(easypost, host)] == [first["id"]]
    assert "no webhook " + second["id"] in host("delete", second["id"], status=1)
    assert "hook_..." in host("delete", "../users", status=1)


@pytest.mark.parametrize("url", [
    "ship.example.com", "http://ship.example.com" + PATH, "https://" + PATH,
    "https://ship.example.com", "ftp://ship.example.com" + PATH,
    "https://user:word@ship.example.com" + PATH,
    "https://ship.example.com/webhooks/easypost?a=b",
    "https://ship.example.com/webhooks/\neasypost",
    "https://ship.example.com/a\"b"])
def test_what_is_no_address_is_refused(host, easypost, secret, url):
    assert "the address must be" in host("register", url, status=1)
    assert easypost.calls() == []


def test_an_address_that_is_not_waybills_is_not_registered(host, easypost,
                                                           secret):
    for path, status in (("/health", 405), ("/nothing/here", 404)):
        said = host("register", host.stack.url + path, "--ca", host.stack.ca,
                    status=1)
        assert "is not /webhooks/easypost" in said
        assert f"answered {status}" in said and "was not told" in said
    assert hooks_of(easypost, host) == []


def test_what_cannot_be_asked_is_registered_with_a_warning(host, easypost,
                                                           secret):
    said = host("register", host.url, "--mode", "test")
    assert "self-signed certificate" in said
    assert "EasyPost would not deliver to it either" in said
    assert "registered all the same" in said
    assert [hook["url"] for hook in hooks_of(easypost, host)] == [host.url]
    closed = "https://127.0.0.1:1" + PATH
    assert "did not answer" in host("register", closed, "--mode", "test")


def test_what_easypost_says_is_told(host, easypost, secret):
    easypost.canned("POST", "/v2/webhooks", status=422, body={"error": {
        "code": "PARAMETER.INVALID", "message": "Invalid\x1b[31m parameter.",
        "errors": [{"field": "url", "message": "is too far away"},
                   "and a text"]}})
    said = host.register("--mode", "test", status=1)
    assert ("test: EasyPost answered 422: Invalid?[31m parameter. "
            "PARAMETER.INVALID; url is too far away; and a text") in said


def test_one_refused_key_keeps_no_other_from_its_webhook(host, easypost, secret):
    easypost.fault("GET /v2/webhooks", "status", status=401)
    said = host.register(status=1)
    assert "production: EasyPost answered 401" in said
    assert "Look at EASYPOST_API_KEY" in said
    assert len(hooks_of(easypost, host)) == 1


@pytest.mark.parametrize("kind", ["reset_before", "garbage", "truncate"])
def test_what_easypost_does_not_answer_is_told(host, easypost, secret, kind):
    easypost.fault("GET /v2/webhooks", kind)
    said = host("list", "--mode", "test", status=1)
    assert re.search("did not answer|cannot be read", said)


# --- list ----------------------------------------------------------------------


def test_the_list_shows_all_and_no_password(host, easypost):
    assert "none" in host("list")
    easypost.webhook(host.url, "s")
    easypost._post("/webhook", {"url": "https://user:pass%40word@h.example.com/x",
                                "mode": "test"})
    lines = host("list").splitlines()
    assert [line.split()[:2] for line in lines if line.startswith("*")] == [
        ["*", "production"], ["*", "test"]]
    (other,) = [line for line in lines if "h.example.com" in line]
    assert other.startswith("  test ") and "word" not in other
    assert other.endswith("https://***@h.example.com/x")


def test_keys_come_from_the_files_that_the_services_are_given(
        host, easypost, tmp_path):
    conf = tmp_path / "waybill.conf"
    conf.write_text(f"EASYPOST_API_BASE={host.stack.sim.base}\n")
    folder = tmp_path / "secrets"
    assert str(folder / "easypost-api-key") in host("list", status=1,
                                                    conf=str(conf))
    folder.mkdir()
    (folder / "easypost-test-api-key").write_text(
        setting(host.stack, "EASYPOST_TEST_API_KEY") + "\n")
    assert host("list", conf=str(conf)).split() == ["test", "none"]
    said = host("list", "--mode", "production", conf=str(conf), status=1)
    assert "EASYPOST_API_KEY is not set" in said
    (folder / "easypost-api-key").write_text("EZTKnot-of-this-mode")
    assert "must not begin with EZTK" in host("list", conf=str(conf), status=1)


# --- test ----------------------------------------------------------------------


def figures(host):
    """What a delivery of our own must not change."""
    client = Client(host.stack, host.stack.key)
    found = [client.get("/db/" + path).json()["data"] for path in (
        "analytics/dashboard", "completeness", "shipments", "events")]
    found.append(client.get("/health").json()["data"]["background"]["events"])
    assert found[-1]["last_at"]
    return found


def test_a_delivery_of_our_own_arrives_and_changes_nothing(host, easypost, secret,
                                                           rows):
    nobody = Client(host.stack)
    event = documents.event("tracker.updated", documents.tracker())
    deliver(nobody, event, headers=signed(secret, compact(event)))
    host.register()
    before = figures(host)
    said = host.test()
    assert re.search(r"/webhooks/easypost answered 200 in [0-9]+\.[0-9] ms: "
                     "Webhook processed", said)
    found = re.search(r"(evt_[0-9a-f]{32}) \(waybill.test\) is in the database",
                      said)
    assert rows("select description, mode, state, error from webhook_events "
                "where easypost_id = %s", found[1]) == [
                    ("waybill.test", None, "kept", None)]
    assert host.test(host.url) != said
    assert figures(host) == before
    assert rows("select * from jobs where state <> 'done'") == []


def test_it_is_signed_in_both_ways(host, easypost, secret):
    """Seen by the simulator, which shows the requests that it gets."""
    said = host("test", easypost.base + PATH, status=1)
    assert "is this address Waybill's?" in said
    (call,) = easypost._get("/calls?body=1&match=POST%20/webhooks*")
    headers = {name.lower(): value for name, value in call["headers"].items()}
    body = call["body"].encode()
    assert headers["x-hmac-signature"] == signed(secret, body)["X-Hmac-Signature"]
    assert re.fullmatch(r"\w{3}, \d\d \w{3} \d{4} \d\d:\d\d:\d\d -0000",
                        headers["x-timestamp"])
    assert headers["x-path"] == PATH
    both = f"{headers['x-timestamp']}POST{PATH}".encode() + body
    assert headers["x-hmac-signature-v2"] == \
        signed(secret, both)["X-Hmac-Signature"]


def test_which_address_must_be_clear(host, easypost, secret):
    assert "waybill webhook register URL" in host.test(status=1)
    easypost.webhook(host.url, "s")
    easypost.webhook("https://other.example.com" + PATH, "s")
    assert "several" in host.test(status=1)


def test_another_secret_is_told(host, secret):
    said = host.test(host.url, status=1, EASYPOST_WEBHOOK_SECRET="another")
    assert "answered 401" in said
    assert "sudo systemctl restart waybill-webhook" in said


def test_a_database_that_cannot_be_asked_is_told(host, secret):
    said = host.test(host.url, status=1, DATABASE_URL="postgresql:///x?host=/no")
    assert "answered 200" in said
    assert "whether it is in the database is not known" in said


def test_a_pool_that_does_not_run_is_told(host, secret):
    host.stack.stop_pool("webhook")
    try:
        said = host.test(host.url, status=1)
    finally:
        host.stack.start_pool("webhook")
    assert "answered 502" in said
    assert "systemctl status waybill-webhook" in said


def test_what_went_into_the_spool_is_told(host, secret, rows):
    with contextlib.closing(Database(host.stack.database_url)) as other:
        other("begin")
        other("lock table webhook_event_ids in share mode")
        said = host.test(host.url, status=1)
        other("rollback")
    event = re.search("evt_[0-9a-f]{32}", said)[0]
    assert "answered 200" in said and "waybill spool" in said
    wait_until(lambda: rows("select 1 from webhook_events "
                            "where easypost_id = %s", event), 20, "the spool")


@pytest.mark.parametrize("words", [
    (), ("register",), ("register", "a", "b"), ("list", "x"), ("forget",),
    ("test", "a", "b"), ("new-secret", "x"), ("delete",),
    ("list", "--mode", "both")])
def test_what_is_asked_wrongly_is_answered_with_the_help(host, words):
    assert "usage: waybill" in host(*words, status=2)
