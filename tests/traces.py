"""Secrets where none may be: in logs and in the database."""

import base64
import re
import subprocess

SETTINGS = ["EASYPOST_API_KEY", "EASYPOST_TEST_API_KEY",
            "EASYPOST_WEBHOOK_SECRET"]
KEY = re.compile(r"\bwb_[A-Za-z0-9_-]{43}(?![A-Za-z0-9_-])"
                 r"|\bEZ[TA]K[0-9a-f]{54}\b")


def basic(secret):
    """How a key looks in an Authorization header."""
    return base64.b64encode(secret.encode() + b":").decode()


def forms(secret):
    """A secret and how it would look in other clothes."""
    raw = secret.encode()
    return {secret, raw.hex(), basic(secret),
            base64.b64encode(raw).decode().rstrip("=")}


def secrets_of(stack):
    found = {name: stack.settings.get(name) for name in SETTINGS}
    found["the tests' key"] = stack.key
    found["the production key"] = stack.key_production
    return {name: secret for name, secret in found.items() if secret}


def of(stack):
    """One line for each secret and place; the simulator is EasyPost, whose
    logs are not ours."""
    places = {name: text.decode("utf-8", "replace")
              for name, text in stack.logs().items()
              if not name.startswith("simulator")}
    lines = [f"a key: in {name}: {key.group()[:14]}..."
             for name, text in places.items() if (key := KEY.search(text))]
    places["the database"] = subprocess.run(
        ["pg_dump", "--data-only", stack.database_url], check=True,
        capture_output=True).stdout.decode("utf-8", "replace")
    for name, secret in secrets_of(stack).items():
        wanted = forms(secret)
        lines += [f"{name}: in {place}" for place, text in places.items()
                  if any(form in text for form in wanted)]
    return lines
