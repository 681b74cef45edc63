"""The paths that are measured: their requests, and what limits them."""

import hashlib
import hmac
import json
import pathlib

import limits
from events import Events

SECRET = "bench-secret"
# Different requests of a path, in turn: more than pass while nginx remembers
# that one was asked for, so that workers answer all of them.
SAMPLES = 40_000
# Neighbours, whose journey is over: of a million and of ten million the same.
SAMPLED = f"""
select id, tracking_code, easypost_id, carrier, created_at
from waybill.shipments
where tracking_code is not null and mode = 'production'
    and created_at < now() - interval '40 days'
order by created_at desc
limit {SAMPLES}"""
# Of them under pgbench.  A connection plans each statement of each script five
# times before it keeps a plan: with sixty it would measure that.
SCRIPTS = 6
BULK_ITEMS = 100
RETURN = "/bench/return"
EVENTS_SECONDS = 40  # for so long events are ready
# One half of the trackers; the other one is that of pgbench.
EVEN = "hashtext(t.easypost_id) % 2 = 0"


class Paths:
    """Files of requests for wrk, made of what is in the database."""

    def __init__(self, stack, folder):
        self.stack = stack
        self.folder = pathlib.Path(folder)
        self.key = stack.key_production
        self.events = Events("by_http", 1, 1, EVENTS_SECONDS, EVEN)
        self.samples = stack.psql(
            "select id::text, tracking_code, easypost_id, carrier, to_char("
            "created_at at time zone 'UTC', 'YYYY-MM-DD\"T\"HH24:MI:SS\"Z\"')"
            f" from ({SAMPLED}) s order by md5(easypost_id)")

    def warm(self):
        """Reads once what will be asked for: the disk is not what is measured."""
        self.stack.psql("select sum(length(s::text)) from api.shipment s"
                        f" where id in (select id from ({SAMPLED}) s)")

    def gets(self):
        """The paths of reads by the name of what is measured."""
        first = f"/db/shipments/{self.samples[0][0]}"
        return {
            "by_id": [f"/db/shipments/{one[0]}" for one in self.samples],
            "by_tracking": [f"/db/shipments/{one[1]}" for one in self.samples],
            "by_easypost_id": [f"/db/shipments/{one[2]}"
                               for one in self.samples],
            "list": [f"/db/shipments?limit=50&carrier={one[3]}"
                     f"&after={one[4]}_{one[0]}" for one in self.samples],
            "dashboard": ["/db/analytics/dashboard?days=30"],
            "cached": [first], "not_modified": [first],
            "hello": ["/livez"], "return_200": [RETURN],
        }

    def come_again(self):
        """Whether there are so few that nginx's cache would answer some."""
        return len(self.samples) < SAMPLES

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
            for number, path in enumerate(self.gets()[name][:SCRIPTS]):
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

    def webhooks(self, count):
        """New events, signed, each once."""
        return self.write("webhook", [
            "POST\t/webhooks/easypost\thmac-sha256-hex="
            + hmac.new(SECRET.encode(), body.encode(),
                       hashlib.sha256).hexdigest() + f"\t{body}"
            for body in self.events.take(self.stack.psql, count)])

    # --- shipments in bulk --------------------------------------------------

    def bulk_body(self):
        def place(number):
            return {"name": f"Customer {number}", "street1": f"{number} Main St",
                    "city": "Reno", "state": "NV", "zip": "89501",
                    "country": "US", "phone": "5555550100",
                    "email": f"customer{number}@example.com"}
        return json.dumps([{
            "reference": f"bench-{number}", "carrier": "USPS",
            "service": "Priority", "status": "in_transit",
            "base_cost": "7.58", "currency": "USD", "weight": 12.5,
            "from_address": place(0), "to_address": place(number),
            "parcel": {"length": 9, "width": 6, "height": 2, "weight": 12.5}}
            for number in range(1, BULK_ITEMS + 1)], separators=(",", ":"))

    def bulk(self):
        return self.write("bulk", [
            f"POST\t/db/shipments\t\t{self.bulk_body()}"])

    def bulk_script(self):
        body = self.bulk_body().replace("'", "''")
        self.stack.psql(f"create table bench.bulk as select '{body}'::jsonb"
                        " as body")
        return ["select array_agg(r.id) from bench.bulk b, api.insert_shipments("
                "waybill.uuid_generate_v7(), b.body, 'production', 'bench',"
                " 'bench') r;\n"]
