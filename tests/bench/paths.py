"""The paths that are measured: their requests, and what limits them."""

import hashlib
import hmac
import json
import pathlib
import re

import limits

SECRET = "bench-secret"
SAMPLES = 60  # different requests of a path, in turn
MARK = "@EVENT@"
RETURN = "/bench/return"


class Paths:
    """Files of requests for wrk, made of what is in the database."""

    def __init__(self, stack, folder):
        self.stack = stack
        self.folder = pathlib.Path(folder)
        self.key = stack.key_production
        self.event_number = 0
        self.samples = stack.psql(f"""
            select s.id::text, s.tracking_code, s.easypost_id, s.carrier,
                to_char(s.created_at at time zone 'UTC',
                    'YYYY-MM-DD"T"HH24:MI:SS"Z"')
            from waybill.shipments s
            where s.tracking_code is not null and s.mode = 'production'
            order by md5(s.easypost_id)
            limit {SAMPLES}""")

    def gets(self):
        """The paths of reads by the name of what is measured."""
        first = f"/db/shipments/{self.samples[0][0]}"
        return {
            "by_id": [f"/db/shipments/{one[0]}" for one in self.samples],
            "by_tracking": [f"/db/shipments/{one[1]}" for one in self.samples],
            "by_easypost_id": [f"/db/shipments/{one[2]}"
                               for one in self.samples],
            "list": [f"/db/shipments?limit=50&carrier={one[3]}"
                     f"&date_to={one[4]}" for one in self.samples],
            "cached": [first], "not_modified": [first],
            "hello": ["/livez"], "return_200": [RETURN],
        }

    def exists(self, method, path):
        answer = self.stack.request(method, path, key=self.key, body=None)
        return answer.status not in (404, 405)

    def file(self, name):
        """The requests of one path."""
        tag = ""
        paths = self.gets()[name]
        if name == "not_modified":
            tag = self.stack.request("GET", paths[0],
                                     key=self.key).headers["ETag"]
        return self.write(name, [f"GET\t{path}\t{tag}\t" for path in paths])

    def write(self, name, lines):
        path = self.folder / name
        path.write_text("\n".join(lines) + "\n")
        return path

    # --- what PostgreSQL does for them -------------------------------------

    def scripts(self, name):
        """Scripts and values for pgbench, from the log."""
        variables, scripts = {}, []
        with limits.Statements(self.stack) as log:
            for number, path in enumerate(self.gets()[name]):
                found = log.of(lambda path=path: self.ask(path))
                if not found:
                    raise SystemExit(f"{path}: no statement in the log")
                scripts.append(limits.script(number, found, variables))
        return scripts, variables

    def ask(self, path):
        answer = self.stack.request("GET", path, key=self.key,
                                    headers={"Cache-Control": "no-cache"})
        if answer.status != 200:
            raise SystemExit(f"{path}: {answer}")

    # --- webhooks ----------------------------------------------------------

    def event_body(self):
        """A recorded event with a mark for its number, of a tracker that is
        known: what most events are."""
        [(body,)] = self.stack.psql(
            "select payload::text from waybill.webhook_events"
            " where description = 'tracker.updated' limit 1")
        return re.sub(r'"id":"evt_[0-9a-f]+"', f'"id":"evt_{MARK}"', body)

    def trackers(self, count):
        return self.stack.psql(
            "select t.easypost_id from waybill.trackers t"
            f" where t.tracking_details is not null limit {count}")

    def webhooks(self, count):
        """New events, signed, each once, of many trackers."""
        template = self.event_body()
        owner = json.loads(template)["result"]["id"]
        keys = [row[0] for row in self.trackers(5000)]
        lines = []
        for _ in range(count):
            self.event_number += 1
            number = self.event_number
            body = template.replace(owner, keys[number % len(keys)]).replace(
                MARK, f"{number:032x}")
            digest = hmac.new(SECRET.encode(), body.encode(),
                              hashlib.sha256).hexdigest()
            lines.append(f"POST\t/webhooks/easypost\t"
                         f"hmac-sha256-hex={digest}\t{body}")
        return self.write("webhook", lines)

    def webhook_scripts(self):
        """The same call with new events; made in the database, because pgbench
        takes what stands behind a colon for a variable."""
        self.stack.psql("create table bench.event as select $doc$"
                        + self.event_body() + "$doc$::text as body")
        self.stack.psql("create table bench.tracker as select row_number()"
                        " over () as n, t.easypost_id from waybill.trackers t"
                        " where t.tracking_details is not null limit 5000")
        self.stack.psql("create index on bench.tracker (n)")
        self.stack.psql("grant usage on schema bench to public;"
                        "grant select on all tables in schema bench to public")
        owner = json.loads(self.event_body())["result"]["id"]
        [(count,)] = self.stack.psql("select count(*) from bench.tracker")
        return [f"\\set i random(1, {count})\n"
                "\\set e random(1, 1000000000000000000)\n"
                "select w.* from bench.event b, bench.tracker t,"
                " api.receive_webhook(convert_to(replace(replace(b.body,"
                f" '{owner}', t.easypost_id), '{MARK}',"
                " lpad(to_hex(:e::bigint), 32, 'b')), 'UTF8'), 'bench') w"
                " where t.n = :i;\n"]
