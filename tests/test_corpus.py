"""EasyPost's recorded traffic, replayed through the gateway.

Runs where the recordings are: in the folder that EASYPOST_CORPUS names, or in
../shared/easypost/corpus beside the checkout.  They belong to EasyPost and are
not part of this project.
"""

import json
import os
import urllib.parse


from helpers import (Client, changed_settings, compact, setting, signed,
                     unique, wait_until)


def records(folder, name):
    with open(os.path.join(folder, name), encoding="utf-8") as file:
        return [json.loads(line) for line in file if line.strip()]


def as_query(query):
    """The recorded pairs, encoded again; some repeat, some have no value."""
    if isinstance(query, str):
        return query
    if isinstance(query, dict):
        query = list(query.items())
    words = []
    for pair in query or []:
        name, value = (pair if isinstance(pair, (list, tuple))
                       else (pair.get("name"), pair.get("value")))
        word = urllib.parse.quote(str(name), safe="[]")
        if value is not None:
            word += "=" + urllib.parse.quote(str(value))
        words.append(word)
    return "&".join(words)


def interactions(folder):
    """(name, method, path, query, body, status, headers, answer) of all."""
    for one in records(folder, "interactions/extra.jsonl"):
        answer = (b"" if one["status"] == 204 or one["response_body"] is None
                  else compact(one["response_body"]))
        body = one["request_body"]
        if body is not None and not isinstance(body, str):
            body = json.dumps(body)
        headers = {name: value
                   for name, value in one["response_headers"].items()
                   if name.lower() not in ("content-length",
                                           "content-encoding",
                                           "transfer-encoding")}
        yield (one["id"], one["method"], one["path"], as_query(one["query"]),
               body, one["status"], headers, answer)
    for one in records(folder, "docs/responses.jsonl"):
        answer = one["response_body"]
        status = 200
        if isinstance(answer, dict) and set(answer) == {"error"}:
            status = 422
        path, _, query = (one["path"] or "/v2/sample").partition("?")
        path = path.replace("...", "0")  # abbreviated in the documentation
        yield (one["source"], one["method"] or "GET", path, query, None,
               status,
               {"content-type": "application/json; charset=utf-8"},
               compact(answer))


def objects(value):
    """Every object with an id and a kind, wherever it is."""
    if isinstance(value, dict):
        if isinstance(value.get("id"), str) and value.get("object"):
            yield value
        for below in value.values():
            yield from objects(below)
    elif isinstance(value, list):
        for below in value:
            yield from objects(below)


TABLES = {"Shipment": "shipments", "Address": "addresses",
          "Parcel": "parcels", "CustomsInfo": "customs_infos",
          "Tracker": "trackers", "Refund": "refunds",
          "Rate": "(select easypost_id from rates union all "
                  "select easypost_id from shipment_rates) r"}


def test_every_recorded_interaction(corpus, stack, sim, db):
    """Same status, same bytes; and the documents are in the database."""
    client = Client(stack, stack.key)
    wanted, wrong, count = {}, [], 0
    for (name, method, path, query, body, status, headers,
         answer) in interactions(corpus):
        count += 1
        path = urllib.parse.quote(path, safe="/%:@!$&'()*+,;=~")
        sim.canned(method, path, answer, query=query, status=status,
                   headers=headers, times=1)
        target = path + ("?" + query if query else "")
        got = client(method, target, data=body,
                     headers={"Content-Type": "application/json"})
        if (got.status_code, got.content) != (status, answer):
            wrong.append((name, method, target, got.status_code,
                          got.content[:200]))
            continue
        for header in ("content-type", "location", "x-ep-request-uuid"):
            if header in headers and got.headers.get(
                    header) != headers[header]:
                wrong.append((name, header, got.headers.get(header)))
        if status < 300 and answer:
            for one in objects(json.loads(answer)):
                wanted[(one["object"], one["id"])] = one
    assert count > 200
    assert wrong == []
    assert len(wanted) > 300

    def missing():
        """GETs are recorded after their answer, so look until it is so."""
        rows = []
        for kind, table in TABLES.items():
            ids = [own for of, own in wanted if of == kind and is_an_id(own)]
            found = {row[0] for row in db(
                f"select easypost_id from {table} "
                "where easypost_id = any (%s)", ids)}
            rows += [(kind, own) for own in ids if own not in found]
        ids = [own for of, own in wanted if of == "Batch" and is_an_id(own)]
        found = {row[0] for row in db(
            "select batch_id from batch_operations where batch_id = any (%s)",
            ids)}
        return rows + [("Batch", own) for own in ids if own not in found]

    wait_until(lambda: missing() == [], 15, lambda: f"{missing()[:20]}")
    check_values(db, wanted)


# Where one of these is, values are blanked and the bytes are others.
SECRETS = {"keys", "api_keys", "key", "credentials", "test_credentials",
           "custom_headers", "fields"}


def words(value):
    """Every key of a document."""
    if isinstance(value, dict):
        for key, below in value.items():
            yield key
            yield from words(below)
    elif isinstance(value, list):
        for below in value:
            yield from words(below)


def is_an_id(own):
    """Some samples of the documentation are abbreviated: "shp_..."."""
    return own.isascii() and own.replace("_", "").isalnum()


def check_values(db, wanted):
    """A few columns of each kind are what some recorded version said."""
    for (kind, own), document in wanted.items():
        if kind == "Address" and is_an_id(own):
            assert db.row("addresses", own) is not None
        if kind == "Shipment" and document.get("to_address"):
            row = db.row("shipments", own)
            assert row["to_address_id"] is not None, own
            if document.get("selected_rate"):
                assert row["base_cost"] is not None, own


def test_top_level_documents_are_kept_verbatim(corpus, stack, sim, db):
    """The newest bytes of each object that was answered alone."""
    client = Client(stack, stack.key)
    for name, _, _, _, _, status, _, answer in interactions(corpus):
        if status >= 300 or not answer:
            continue
        document = json.loads(answer)
        if not isinstance(document, dict) or not is_an_id(
                str(document.get("id", "..."))):
            continue
        path = "/v2/" + unique("verbatim_")
        sim.canned("POST", path, answer)
        assert client.post(path).content == answer
        kept = db("select body::text from documents where easypost_id = %s",
                  document["id"])
        assert kept, name
        if not SECRETS & set(words(document)):
            assert (answer.decode(),) in kept, name


def test_the_signature_vectors(corpus, odd_stack):
    folder = os.path.join(corpus, "webhook")
    with open(os.path.join(folder, "vectors.json"), encoding="utf-8") as file:
        vectors = json.load(file)
    assert len(vectors) >= 9
    for secret in sorted({one["secret"] for one in vectors}):
        with changed_settings(odd_stack, ["webhook"],
                              {"EASYPOST_WEBHOOK_SECRET": secret}):
            nobody = Client(odd_stack)
            for one in vectors:
                if one["secret"] != secret:
                    continue
                with open(os.path.join(folder, one["body_file"]),
                          "rb") as file:
                    body = file.read()
                body += one.get("body_text_suffix", "").encode()
                headers = {one["header"]: one["signature"],
                           **one.get("other_headers", {})}
                got = nobody.post("/webhooks/easypost", data=body,
                                  headers=headers)
                is_v1 = not one["header"].lower().endswith("-v2")
                if one["valid"] and is_v1:
                    is_event = b'"evt_' in body
                    assert got.status_code == (200 if is_event else 400), (
                        one["name"], got.text)
                else:  # the second version is not offered
                    assert got.status_code == 401, (one["name"], got.text)


def test_the_documented_events(corpus, stack, db):
    nobody = Client(stack)
    secret = setting(stack, "EASYPOST_WEBHOOK_SECRET")
    for one in records(corpus, "webhook/documented-events.jsonl"):
        event = dict(one["event"])
        own = unique("evt_")
        event["id"] = own
        body = compact(event)
        got = nobody.post("/webhooks/easypost", data=body,
                          headers=signed(secret, body))
        assert got.status_code == 200, (one["source"], got.text)
        assert len(db("select 1 from webhook_events where easypost_id = %s",
                      own)) == 1
        again = nobody.post("/webhooks/easypost", data=body,
                            headers=signed(secret, body))
        assert again.status_code == 200


def test_the_official_event_as_it_is(corpus, stack, db):
    """The 3,550 bytes of the official fixture, verbatim in the table."""
    with open(os.path.join(corpus, "webhook", "event-body.json"),
              "rb") as file:
        body = file.read()
    got = Client(stack).post("/webhooks/easypost", data=body,
                             headers=signed(
                                 setting(stack, "EASYPOST_WEBHOOK_SECRET"),
                                 body))
    assert got.status_code == 200, got.text
    own = json.loads(body)["id"]
    kept = db("select payload::text from webhook_events where "
              "easypost_id = %s", own)
    assert kept == [(body.decode(),)]
