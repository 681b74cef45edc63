#!/usr/bin/python3
"""The contract as it is served, from the contract as it is written.

    build_openapi.py SOURCE VERSION TARGET

What openapi.yaml says once is written here wherever it holds: the responses of
each operation's errors, the header that every answer has, and which members
are always there.  All else stays as it is.
"""

import copy
import http
import json
import sys

import yaml

VERBS = ("get", "put", "post", "delete", "options", "patch")
EXAMPLE_ID = "5f0c8f2f0ad34f0e8d3c1b2a49587766"


def codes_of(names, document):
    """Groups resolved, each code once."""
    found = []
    for name in names:
        group = document["x-error-groups"].get(name)
        if group is not None:
            found += codes_of(group, document)
        elif name in document["x-errors"]:
            found.append(name)
        else:
            sys.exit(f"x-errors: {name} is neither a code nor a group")
    return list(dict.fromkeys(found))


def example_of(code, error, envelope):
    fields = [{"field": error["field"], "message": error["message"]}] \
        if "field" in error else []
    body = {"code": code, "message": error["message"], "errors": fields}
    if envelope == "easypost":
        return {"error": body}
    return {"status": "error", "error": body, "request_id": EXAMPLE_ID}


def reference_to_example(code, document, envelope):
    """To the code as a whole answer; it is made when it is first wanted."""
    name = code if envelope == "waybill" else "easypost." + code
    error = document["x-errors"][code]
    document["components"].setdefault("examples", {})[name] = {
        "summary": error["description"],
        "value": example_of(code, error, envelope)}
    return {"$ref": f"#/components/examples/{name}"}


def schema_of(codes, document, envelope):
    """A refusal with one of these codes."""
    schema = copy.deepcopy(document["x-envelopes"][envelope])
    schema["properties"]["error"]["properties"]["code"]["enum"] = codes
    if envelope == "easypost":
        return {"anyOf": [
            schema, {"$ref": "#/components/schemas/EasyPostDocument"}]}
    return schema


def refusal(status, codes, document, envelope):
    """The response of one status; its codes as an enum, and as examples."""
    response = {
        "description": http.HTTPStatus(status).phrase + ".",
        "content": {"application/json": {
            "schema": schema_of(codes, document, envelope),
            "examples": {code: reference_to_example(code, document, envelope)
                         for code in codes}}}}
    names = {document["x-errors"][code].get("header") for code in codes}
    response["headers"] = {name: {"$ref": f"#/components/headers/{name}"}
                           for name in sorted(names - {None})}
    return response


def add_refusals(operation, document):
    envelope = operation.pop("x-envelope", "waybill")
    by_status = {}
    for code in codes_of(operation.pop("x-errors"), document):
        status = document["x-errors"][code]["status"]
        by_status.setdefault(status, []).append(code)
    # Another object: what YAML merges is one object in several places.
    operation["responses"] = {
        **operation["responses"],
        **{str(status): refusal(status, codes, document, envelope)
           for status, codes in sorted(by_status.items())}}
    if operation.get("x-relays"):
        add_relayed(operation["responses"])


def add_relayed(responses):
    """EasyPost may refuse with any status, also with one of ours."""
    relayed = {"$ref": "#/components/schemas/EasyPostRefusal"}
    for status, response in responses.items():
        if status >= "4":
            media = response["content"]["application/json"]
            media["schema"] = {"anyOf": [media["schema"], relayed]}
    for status in ("4XX", "5XX"):
        responses[status] = {
            "description": "What EasyPost refused, in this envelope.",
            "content": {"application/json": {"schema": relayed}}}


def add_headers(operation):
    """Those that every answer has."""
    names = ["X-Request-Id"]
    if not operation.get("x-static"):
        names.append("Server-Timing")
    if operation["x-scope"] != "none":
        names += ["RateLimit-Policy", "RateLimit"]
    common = {name: {"$ref": f"#/components/headers/{name}"} for name in names}
    operation["responses"] = {
        status: {**response,
                 "headers": {**response.get("headers", {}), **common}}
        for status, response in operation["responses"].items()}


def complete(schema):
    """Every member of a schema that says so is required."""
    if isinstance(schema, list):
        return [complete(one) for one in schema]
    if not isinstance(schema, dict):
        return schema
    made = {name: complete(value) for name, value in schema.items()
            if name != "x-complete"}
    if schema.get("x-complete"):
        made["required"] = list(schema["properties"])
    return made


def build(source, version):
    """The document that is served."""
    with open(source, encoding="utf-8") as file:
        document = yaml.safe_load(file)
    document["info"]["version"] = version
    for item in document["paths"].values():
        for verb in VERBS:
            if verb in item:
                add_refusals(item[verb], document)
                add_headers(item[verb])
    document["x-any-request"] = codes_of(
        ["any", "NOT_FOUND", "METHOD.NOT_ALLOWED"], document)
    del document["x-error-groups"], document["x-envelopes"]
    return complete(document)


def main():
    source, version, target = sys.argv[1:]
    text = json.dumps(build(source, version), ensure_ascii=False,
                      separators=(",", ":"))
    with open(target, "w", encoding="utf-8") as file:
        file.write(text + "\n")


if __name__ == "__main__":
    main()
