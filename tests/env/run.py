#!/usr/bin/python3
"""`make run`: all of Waybill on this machine until Ctrl-C, in ./run.

What is kept in ./run between two runs: the database, the keys, the certificate
and the logs; so the second start takes seconds.  `run.py --clean` removes it.

Settings come from the environment: PORT (of nginx; the next free one from 8443
on), DATABASE_URL (instead of a private cluster), EASYPOST_API_KEY (instead of
the simulator), and every other key of systemd/waybill.conf.
"""

import argparse
import ctypes
import fcntl
import hashlib
import json
import os
import shlex
import signal
import sys
import time

sys.path.insert(0, os.path.dirname(os.path.dirname(os.path.abspath(__file__))))

from env import stack as environment  # noqa: E402: the path comes first
from env.nginx import free_port  # noqa: E402
from env.process import PR_SET_PDEATHSIG, Failed, Process  # noqa: E402
from env.wait import TooLate, pause  # noqa: E402

FIRST_PORT = 8443
OUR_SETTINGS = ("ACTIVITY_", "DATABASE_", "EASYPOST_", "SPOOL_", "TRACKING_",
                "WORKER",
                "ENVIRONMENT", "LOG_LEVEL")
DEMO = os.path.join(environment.ROOT, "tests", "sim", "demo.py")
DEMO_DAYS = 90

SHIPMENT = {"shipment": {
    "to_address": {
        "name": "Ada Lovelace", "street1": "417 Montgomery St",
        "city": "San Francisco", "state": "CA", "zip": "94104",
        "country": "US", "phone": "4155550100"},
    "from_address": {
        "name": "Charles Babbage", "street1": "179 N Harbor Dr",
        "city": "Redondo Beach", "state": "CA", "zip": "90277",
        "country": "US", "phone": "3105550100"},
    "parcel": {"length": 20.2, "width": 10.9, "height": 5, "weight": 65.9}}}

CHEAPEST = {**SHIPMENT, "rate": "cheapest"}


class Interrupted(BaseException):
    """Somebody wants us to stop."""


class Run(environment.Stack):
    """A stack that remembers its keys."""

    def __init__(self, options):
        given = given_settings()
        is_real = bool(given.get("EASYPOST_API_KEY")
                       or given.get("EASYPOST_TEST_API_KEY"))
        self.state = state = remembered(options.directory)
        outside = given.get("DATABASE_URL")
        self.kept = state.setdefault("databases", {}).setdefault(
            hashlib.sha256(outside.encode()).hexdigest() if outside else "own",
            {})
        settings = {"ENVIRONMENT": "development",
                    "EASYPOST_WEBHOOK_SECRET": state["webhook_secret"]}
        if not is_real:
            settings["EASYPOST_TEST_API_KEY"] = state["test_key"]
            settings["EASYPOST_API_KEY"] = state["production_key"]
            for name in ("EASYPOST_API_KEY", "EASYPOST_TEST_API_KEY",
                         "EASYPOST_API_BASE", "EASYPOST_CA_FILE"):
                given.pop(name, None)
        super().__init__(
            options.directory, build=options.build, settings=settings,
            conf=given, sim=not is_real, fsync=True, say=begin,
            sim_state=os.path.join(options.directory, "simulator.state"),
            database_url=outside, port=chosen_port())

    def make_keys(self):
        """Those of the last time, as long as the database knows them."""
        if not self.service_url:
            return
        known = self.waybill("key", "list")
        for mode, name in (("test", "key"), ("production", "key_production")):
            key = self.kept.get(name)
            if not key or key[:11] not in known:
                key = self.service.make_key(f"make run ({mode})", mode)
                self.kept.update({name: key, "has_demo": False})
            setattr(self, name, key)
        self.keep()

    def keep(self):
        write_private(state_file(self.directory), self.state)

    def usable_keys(self):
        """What a client can send, with its mode, and what is best tried
        first: there may be no EasyPost key for one of the modes."""
        modes = (("test", self.key, "EASYPOST_TEST_API_KEY"),
                 ("production", self.key_production, "EASYPOST_API_KEY"))
        return [(key or self.settings[name], mode)
                for mode, key, name in modes if self.settings.get(name)]


def given_settings():
    """What the environment sets.  A secret in a file is read now, and a test
    key of EasyPost is known by its beginning."""
    given = {name: value for name, value in os.environ.items()
             if name.startswith(OUR_SETTINGS)}
    for name in list(given):
        base = name.removesuffix("_FILE")
        if base not in (name, "EASYPOST_CA") and not given.get(base):
            with open(given.pop(name), encoding="utf-8") as file:
                given[base] = file.read().rstrip("\n")
    if given.get("EASYPOST_API_KEY", "").startswith("EZTK") \
            and not given.get("EASYPOST_TEST_API_KEY"):
        given["EASYPOST_TEST_API_KEY"] = given.pop("EASYPOST_API_KEY")
    return given


def chosen_port():
    word = os.environ.get("PORT")
    if not word:
        return free_port(FIRST_PORT)
    if not (word.isascii() and word.isdigit() and 0 < int(word) < 65536):
        raise Failed(f"PORT={word} is no port: a number from 1 to 65535")
    return int(word)


# --- what is kept -------------------------------------------------------------


def state_file(directory):
    return os.path.join(directory, "state.json")


def remembered(directory):
    """What an earlier run kept, or a beginning."""
    try:
        with open(state_file(directory), encoding="utf-8") as file:
            return json.load(file)
    except (FileNotFoundError, ValueError):
        return {"test_key": environment.easypost_key("EZTK"),
                "production_key": environment.easypost_key("EZAK"),
                "webhook_secret": environment.easypost_key("whs_")}


def write_private(path, document):
    """Whole or not at all, for our eyes only."""
    descriptor = os.open(path + ".new",
                         os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
    with open(descriptor, "w", encoding="utf-8") as file:
        json.dump(document, file, indent=1)
    os.replace(path + ".new", path)


def lock(directory):
    """One at a time; the kernel gives it back however we end."""
    os.makedirs(directory, mode=0o711, exist_ok=True)
    if os.stat(directory).st_uid != os.geteuid():
        sys.exit(f"{directory} belongs to another user: run as that one, or "
                 "remove it (make clean)")
    file = open(os.path.join(directory, "lock"), "w", encoding="ascii")
    try:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:
        sys.exit(f"another make run works in {directory}")
    return file


def clean(directory):
    if os.path.exists(directory):
        with lock(directory):
            environment.Stack(directory).remove()


# --- what is said ---------------------------------------------------------------


def say(text="", end="\n"):
    """The terminal may be gone when we stop."""
    try:
        print(text, end=end, flush=True)
    except OSError:
        sys.stdout = open(os.devnull, "w", encoding="utf-8")


def begin(what):
    say(f" {what} ...", end="")


def curl(stack, key, path, document=None):
    words = ["curl", "-s", "--cacert", os.path.relpath(stack.ca), "-u",
             f"{key}:", stack.url + path]
    if document is not None:
        words += ["-H", "Content-Type: application/json", "-d",
                  json.dumps(document, separators=(",", ":"))]
    return shlex.join(words)


def explain(stack, seconds):
    """What somebody needs to go on."""
    say(f"\n\nWaybill is up after {seconds:.1f} s: {stack.url}"
        "   (Ctrl-C stops it)\n")
    keys = stack.usable_keys()
    key = keys[0][0]
    who = "simulated" if stack.sim else stack.settings.get(
        "EASYPOST_API_BASE", "https://api.easypost.com")
    for number, (text, mode) in enumerate(keys):
        say(f"  {'' if number else 'key':9} {text}  ({mode} mode)")
    if stack.key:
        say(f"  page      {stack.url}/dashboard/  (sign in with the key)")
    say(f"  EasyPost  {stack.sim.base + ', ' if stack.sim else ''}{who}")
    if stack.postgres:
        say(f"  database  psql '{stack.database_url}'")
        say(f"  waybill   DATABASE_URL='{stack.operator_url}' "
            f"{os.path.relpath(stack.service.program('waybill'))} "
            f"-c {os.path.relpath(stack.service.conf_file)} help")
    say(f"  logs      {os.path.relpath(stack.log_dir)}/")
    say("\nMake a shipment, as an EasyPost client would:\n"
        f"  {curl(stack, key, '/v2/shipments', SHIPMENT)}")
    if stack.key and keys[0][1] == "test":
        say("Buy a label at its cheapest rate, in one call:\n"
            f"  {curl(stack, key, '/shipments/buy', CHEAPEST)}")
    if stack.key:
        say("Read from your own database what has passed, one of it, and how "
            "all is:\n"
            f"  {curl(stack, key, '/db/shipments?limit=5')}")
        newest = newest_shipment(stack)
        if newest:
            say(f"  {curl(stack, key, '/db/shipments/' + newest)}")
        say(f"  {curl(stack, key, '/health')}")
    say()


def newest_shipment(stack):
    answer = stack.request("GET", "/db/shipments?limit=1", key=stack.key)
    if answer.status != 200:
        return None
    found = answer.json()["data"]["shipments"]
    return found[0]["easypost_id"] or found[0]["id"] if found else None


# --- the run ----------------------------------------------------------------------


def load_demo(stack, shipments):
    """Three months of a shop's history, once, through the front door; not into
    the database of somebody who has a history."""
    if not stack.sim or not stack.postgres or not shipments:
        return
    if stack.kept.get("has_demo") or not os.path.exists(DEMO):
        return
    say("\n")
    demo = Process("demo", [
        sys.executable, DEMO, "--gateway", stack.url, "--ca", stack.ca,
        "--key", stack.key, "--sim", stack.sim.base, "--days", DEMO_DAYS,
        "--shipments", shipments], log=stack.log("demo"),
        directory=stack.directory)
    demo.start(to_terminal=True)
    while demo.is_running():
        look_around(stack)
    if demo.child.returncode != 0:
        say("(the demo history is not complete: "
            f"{os.path.relpath(demo.log)})")
        return
    stack.waybill("refresh")
    stack.kept["has_demo"] = True
    stack.keep()


def look_around(stack):
    """Goes on, unless a part of us has died or the terminal has gone: of that
    the kernel tells the first process only, which may be a make that waits for
    us."""
    parts = [stack.nginx.process, *stack.service.processes.values()]
    parts += [part.process for part in (stack.sim, stack.postgres) if part]
    for part in parts:
        part.check()
    if HAS_TERMINAL and not os.isatty(sys.__stdout__.fileno()):
        interrupt()
    pause(0.2)


def interrupt(*_):
    """Once is enough: from now on we are stopping."""
    for number in SIGNALS:
        signal.signal(number, signal.SIG_IGN)
    raise Interrupted


HAS_TERMINAL = os.isatty(sys.__stdout__.fileno())
SIGNALS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)


def arguments():
    parser = argparse.ArgumentParser(description="Waybill until Ctrl-C")
    parser.add_argument("--directory", metavar="DIR",
                        default=os.path.join(environment.ROOT, "run"))
    parser.add_argument("--build", metavar="DIR", default="build")
    parser.add_argument("--demo", metavar="N", type=int, default=400,
                        help="shipments of the demo history; 0: none")
    parser.add_argument("--clean", action="store_true",
                        help="remove the directory and do nothing else")
    return parser.parse_args()


def main():
    options = arguments()
    options.directory = os.path.abspath(options.directory)
    if options.clean:
        clean(options.directory)
        return 0
    ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, int(signal.SIGTERM), 0, 0, 0)
    for number in SIGNALS:
        signal.signal(number, interrupt)
    with lock(options.directory):
        return serve(options)


def serve(options):
    status = 0
    stack = None
    try:
        begun = time.monotonic()
        stack = Run(options)
        say("Starting", end="")
        stack.start()
        seconds = time.monotonic() - begun
        load_demo(stack, options.demo)
        explain(stack, seconds)
        while True:
            look_around(stack)
    except Interrupted:
        say("\nStopping ...", end="")
    except (Failed, TooLate, OSError) as error:
        say(f"\n{error}\nStopping ...", end="")
        status = 1
    for number in SIGNALS:
        signal.signal(number, signal.SIG_IGN)
    try:
        if stack in environment.running:
            stack.stop()
        say(" done.")
    except (Failed, OSError) as error:
        say(f"\n{error}")
        status = 1
    return status


if __name__ == "__main__":
    sys.exit(main())
