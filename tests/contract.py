"""Every answer of the gateway, held against the contract that it serves.

helpers.py and the stack show look() each answer; what is wrong fails the test
that saw it, and what was seen is added up at the end of a whole run: a route,
an answer or an error code that no test ever saw is not known to be true.

Here the contract is closed: what it does not name is wrong.  For its readers it
is open, so that a member may come with a later version.
"""

import gzip
import json
import os
import re

import jsonschema

ROOT = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
SERVED = os.path.join(ROOT, "build", "web", "openapi.json")
VERBS = ("GET", "PUT", "POST", "DELETE", "OPTIONS", "PATCH")
# Of a longer list the first and the last rows are looked at.
ROWS_MAX = 20


class Contract:
    def __init__(self, document):
        self.document = document
        self.errors = document["x-errors"]
        self.operations = {}
        self.patterns = []
        for path, item in document["paths"].items():
            self.patterns.append((pattern_of(path), path))
            for verb in VERBS:
                if verb.lower() in item:
                    self.operations[verb, path] = resolved(
                        item[verb.lower()], document)
        # What is written out goes before what has parameters.
        self.patterns.sort(key=lambda pair: "{" in pair[1])
        self.validators = {}
        self.good = set()   # what was looked at before
        self.seen = set()   # keys, as documented() has them
        self.wrong = []

    # --- what there is to see ---------------------------------------------------

    def documented(self):
        """A key for each answer that is no refusal, and for each code."""
        keys = {f"{verb} {path} {status}"
                for (verb, path), operation in self.operations.items()
                for status in operation["responses"] if status < "4"}
        return keys | set(self.errors)

    def path_of(self, target):
        """The route of a request's target; None when there is none."""
        path = re.sub("/+", "/", target.partition("?")[0])
        return next((route for pattern, route in self.patterns
                     if pattern.fullmatch(path)), None)

    # --- one answer --------------------------------------------------------------

    def look(self, method, target, status, headers, content):
        """Notes what was seen, and what is wrong with it."""
        path = self.path_of(target or "")
        verb = "GET" if method == "HEAD" else method
        operation = self.operations.get((verb, path))
        try:
            content = decoded(headers, content)
            if operation is None and (target or "").startswith(
                    ("/docs", "/dashboard")):
                return  # pages: no answers of the interface
            if operation is None:
                self.look_at_refusal(status, headers, content,
                                     self.document["x-any-request"])
            else:
                self.look_at_answer((verb, path), operation, status, headers,
                                    b"" if method == "HEAD" else content)
        except Wrong as error:
            self.wrong.append(f"{method} {target}: {status}: {error}\n"
                              f"{content[:600]!r}")

    def look_at_refusal(self, status, headers, content, allowed):
        """What may come whatever was asked for."""
        if not content:  # of HEAD
            ok = status in {self.errors[code]["status"] for code in allowed}
            return expect(ok, "no such status without a route")
        code = code_of(content)
        expect(code in allowed, f"{code} is not in x-any-request")
        self.look_at_code(code, status, headers)

    def look_at_answer(self, key, operation, status, headers, content):
        name = str(status)
        if name not in operation["responses"]:
            name = name[0] + "XX"
        response = operation["responses"].get(name)
        expect(response is not None, "this status is not in the contract")
        expect(re.fullmatch(r"[A-Za-z0-9._-]{1,64}",
                            headers.get("X-Request-Id", "")), "X-Request-Id")
        if status < 400:
            self.seen.add(f"{key[0]} {key[1]} {name}")
        if not content:
            return
        kind = headers.get("Content-Type", "").partition(";")[0]
        known = response.get("content", {})
        media = known.get(kind, known.get("*/*"))
        expect(media is not None, f"{kind!r} is not in the contract")
        if operation["x-scope"] == "proxy":
            self.look_at_passage((*key, name), status, headers, content,
                                 media)
        elif kind == "application/json":
            self.look_at_document((*key, name), status, headers, content,
                                  media["schema"],
                                  operation.get("x-relays", False))

    def look_at_passage(self, key, status, headers, content, media):
        """EasyPost's answers are its own business; refusals are ours."""
        if status < 400 or not is_own(headers, content):
            return
        choices = media.get("schema", {}).get("anyOf")
        expect(choices, "the gateway refuses with a status that is not in "
                        "the contract")
        self.validate(key, json.loads(content), choices[0])
        self.look_at_code(code_of(content), status, headers)

    def look_at_document(self, key, status, headers, content, schema,
                         is_relayed=False):
        if (key, content) in self.good:
            return
        if status == 206:
            return  # a part of it
        try:
            document = json.loads(content)
        except ValueError as error:
            raise Wrong("no JSON") from error
        self.validate(key, shortened(document), schema)
        # What EasyPost refuses has its own codes and headers.
        if status >= 400 and not (is_relayed and self.errors.get(
                code_of(content), {}).get("status") != status):
            self.look_at_code(code_of(content), status, headers)
        if len(content) < 2000:
            self.good.add((key, content))

    def look_at_code(self, code, status, headers):
        error = self.errors.get(code)
        expect(error is not None, f"{code} is not in the contract")
        expect(error["status"] == status, f"{code} has another status")
        header = error.get("header")
        expect(not header or headers.get(header), f"{code} lacks {header}")
        self.seen.add(code)

    def validate(self, key, document, schema):
        if key not in self.validators:
            self.validators[key] = jsonschema.Draft202012Validator(
                closed(schema))
        found = next(self.validators[key].iter_errors(document), None)
        if found is not None:
            best = jsonschema.exceptions.best_match([found])
            where = "/".join(str(step) for step in best.absolute_path)
            raise Wrong(f"{where}: {best.message[:300]}")


class Wrong(Exception):
    """An answer that the contract does not have."""


def expect(condition, what):
    if not condition:
        raise Wrong(what)


def pattern_of(path):
    """The proxy's parameter holds slashes, the others do not."""
    parts = re.split(r"\{(\w+)\}", path)
    return re.compile("".join(
        re.escape(part) if number % 2 == 0
        else ".*" if part == "path" else "[^/]+"
        for number, part in enumerate(parts)), re.DOTALL)


def resolved(part, document):
    """With every $ref replaced by what it names."""
    if isinstance(part, list):
        return [resolved(one, document) for one in part]
    if not isinstance(part, dict):
        return part
    if "$ref" in part:
        found = document
        for step in part["$ref"].removeprefix("#/").split("/"):
            found = found[step]
        return resolved(found, document)
    return {name: resolved(value, document) for name, value in part.items()}


def closed(schema):
    """Members that are not named are wrong, unless that is said."""
    if isinstance(schema, list):
        return [closed(one) for one in schema]
    if not isinstance(schema, dict):
        return schema
    made = {name: closed(value) for name, value in schema.items()
            if name not in ("description", "examples")
            or not isinstance(value, (str, list))}
    if "properties" in schema:
        made.setdefault("additionalProperties", False)
    return made


def decoded(headers, content):
    if headers.get("Content-Encoding") == "gzip" \
            and content[:2] == b"\x1f\x8b":
        return gzip.decompress(content)
    return content


def code_of(content):
    try:
        return json.loads(content)["error"]["code"]
    except (ValueError, KeyError, TypeError) as error:
        raise Wrong("no refusal") from error


def is_own(headers, content):
    """Whether the gateway refused: its mark is the bare no-store."""
    if headers.get("Cache-Control") != "no-store":
        return False
    try:
        document = json.loads(content)
        return set(document) == {"error"} and \
            set(document["error"]) == {"code", "message", "errors"}
    except (ValueError, KeyError, TypeError):
        return False


def shortened(document):
    """Rows enough to judge a list by."""
    data = document.get("data") if isinstance(document, dict) else None
    if not isinstance(data, dict):
        return document
    half = ROWS_MAX // 2
    return {**document, "data": {
        name: value[:half] + value[-half:]
        if isinstance(value, list) and len(value) > ROWS_MAX else value
        for name, value in data.items()}}


# --- the one of this process ----------------------------------------------------


_contract = None


def contract():
    global _contract
    if _contract is None:
        with open(SERVED, encoding="utf-8") as file:
            _contract = Contract(json.load(file))
    return _contract


# Who looks at each answer as well: called as look() is.
observers = []


def look(method, target, status, headers, content):
    contract().look(method, target, status, headers, content)
    for other in observers:
        other(method, target, status, headers, content)


def look_at_bytes(data, status, headers, content):
    """The answer to raw bytes, whose first line may be anything."""
    words = data.split(b"\r\n", 1)[0].decode("latin-1").split(" ")
    look(words[0], words[1] if len(words) > 1 else "", status, headers,
         content)


def take_wrong():
    """What was wrong since the last call."""
    found = list(contract().wrong)
    contract().wrong.clear()
    return found


def unseen(seen):
    """What the contract tells and no test of a whole run ever saw."""
    return sorted(contract().documented() - set(seen))
