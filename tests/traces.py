"""Secrets where none may be: in logs, files, the database, what the kernel shows of
processes, and what a client is told that was refused."""

import base64
import json
import os
import re
import stat
import subprocess
import unicodedata

from env import stack as environment
from env.process import living

SETTINGS = ["EASYPOST_API_KEY", "EASYPOST_TEST_API_KEY",
            "EASYPOST_WEBHOOK_SECRET"]
KEY = re.compile(r"\bwb_[A-Za-z0-9_-]{43}(?![A-Za-z0-9_-])"
                 r"|\bEZ[TA]K[0-9a-f]{54}\b")
# nginx's cache, whose keys are those of the callers: in memory, its own, for
# seconds; the server's sockets; a number.
NOT_OURS = ("cache", "pg", "nginx.pid")


def basic(secret):
    """How a key looks in an Authorization header."""
    return base64.b64encode(secret.encode() + b":").decode()


def forms(secret):
    """A secret and how it would look in other clothes."""
    raw = secret.encode()
    return {secret, raw.hex(), basic(secret),
            base64.b64encode(raw).decode().rstrip("="),
            json.dumps(secret)[1:-1], unicodedata.normalize("NFKD", secret)}


def secrets_of(stack):
    found = {name: stack.settings.get(name) for name in SETTINGS}
    found["the tests' key"] = stack.key
    found["the production key"] = stack.key_production
    return {name: secret for name, secret in found.items() if secret}


def files_of(stack):
    """What the services and nginx leave beside logs, by its path: spool, notes,
    scoreboards."""
    for top in (stack.spool_dir, stack.run_dir):
        for folder, folders, names in os.walk(top):
            if folder == stack.run_dir:
                folders[:] = set(folders) - set(NOT_OURS)
                names = set(names) - set(NOT_OURS)
            for path in (os.path.join(folder, name) for name in names):
                try:
                    mode = os.lstat(path).st_mode
                except FileNotFoundError:  # gone meanwhile
                    continue
                if stat.S_ISREG(mode):
                    yield path, mode


def read(path):
    """b"" when it is gone meanwhile."""
    try:
        with open(path, "rb") as file:
            return file.read()
    except (FileNotFoundError, ProcessLookupError):
        return b""


def processes_of(stack):
    """Command line and environment of each: the simulator is EasyPost."""
    for pid, words in living([stack.directory, stack.run_dir]).items():
        if "simulator" not in words and "/sim" not in words:
            yield f"process {pid}", \
                words.encode() + b"\0" + read(f"/proc/{pid}/environ")


def places_of(stack):
    """Text by the name of where it was; the simulator's logs are not ours."""
    found = {name: text for name, text in stack.logs().items()
             if not name.startswith("simulator")}
    found.update((os.path.relpath(path, stack.directory), read(path))
                 for path, _ in files_of(stack))
    found.update(processes_of(stack))
    return {name: text.decode("utf-8", "replace")
            for name, text in found.items()}


def of(stack):
    """One line for each secret and place, and for what others may read."""
    places = places_of(stack)
    lines = [f"a key: in {name}: {key.group()[:14]}..."
             for name, text in places.items() if (key := KEY.search(text))]
    places["the database"] = subprocess.run(
        ["pg_dump", "--data-only", stack.database_url], check=True,
        capture_output=True).stdout.decode("utf-8", "replace")
    for name, secret in secrets_of(stack).items():
        wanted = forms(secret)
        lines += [f"{name}: in {place}" for place, text in places.items()
                  if any(form in text for form in wanted)]
    return lines + open_files(stack)


def open_files(stack):
    secret = [(stack.conf_file, os.stat(stack.conf_file).st_mode)]
    return [f"{path} has the mode {stat.S_IMODE(mode):o}"
            for path, mode in [*files_of(stack), *secret]
            if is_open(stack, path, mode)]


def is_open(stack, path, mode):
    """Records are for their owner; notes and scoreboards not for everybody, by
    their own mode or their folder's."""
    if not path.startswith(stack.run_dir + "/"):
        return mode & 0o077
    return mode & 0o007 and os.stat(os.path.dirname(path)).st_mode & 0o001


def look(method, target, status, headers, content):
    """Whether an answer that refuses something tells a secret of ours."""
    if status < 400:
        return
    told = content + str(dict(headers)).encode("utf-8", "replace")
    for stack in environment.running:
        environment.troubles.extend(
            f"{name}: told with {status} to {method} {target[:60]}"
            for name, secret in secrets_of(stack).items()
            if secret.encode() in told)
