"""The paths that are measured: their requests, and what limits them."""

import hashlib
import hmac
import json
import pathlib

import limits

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
EVENTS = 160_000  # new ones that are ready: half for HTTP, half for pgbench
PART = EVENTS // 2 // limits.CLIENTS
BULK_ITEMS = 100
RETURN = "/bench/return"

READY = """
create table bench.ready as
with known as materialized (
    select *
    from waybill.trackers
    where shipment_id is not null
        and created_at < now() - interval '40 days'
    order by created_at desc
    limit EVENTS)
select n, convert_to(format('{"description":"tracker.updated","mode":"%s",'
    '"previous_attributes":{"status":"in_transit"},"created_at":"%s",'
    '"pending_urls":[],"completed_urls":[],"updated_at":"%s","id":"evt_%s",'
    '"user_id":"user_ce91f36f75a9b8f7b24a0ebe5e43dc4a","status":"pending",'
    '"object":"Event","result":%s}', mode, at, at, md5('bench' || now() || n),
    json_build_object('id', easypost_id, 'object', 'Tracker', 'mode', mode,
        'tracking_code', tracking_code, 'status', status,
        'status_detail', 'arrived_at_destination',
        'created_at', to_char(created_at, 'YYYY-MM-DD"T"HH24:MI:SS"Z"'),
        'updated_at', at, 'signed_by', null, 'weight', null,
        'est_delivery_date',
        to_char(est_delivery_date, 'YYYY-MM-DD"T"HH24:MI:SS"Z"'),
        'shipment_id', shipment_easypost_id, 'carrier', carrier,
        'tracking_details', coalesce(tracking_details::jsonb, '[]')
            || jsonb_build_object(
            'object', 'TrackingDetail', 'source', carrier, 'status', status,
            'message', 'Arrived at Facility', 'datetime', at,
            'description', '', 'carrier_code', 'AR',
            'status_detail', 'arrived_at_facility', 'tracking_location',
            jsonb_build_object('object', 'TrackingLocation', 'city', 'TAMPA',
                'state', 'FL', 'zip', '33602', 'country', 'US')),
        'carrier_detail', null, 'finalized', false, 'is_return', false,
        'public_url', public_url)::text), 'UTF8') as body
from (
    select t.easypost_id, t.mode, t.tracking_code, t.created_at,
        t.est_delivery_date, t.shipment_easypost_id, t.carrier,
        t.tracking_details, t.public_url,
        case when r.round % 2 = 1 then 'in_transit'
            else 'out_for_delivery' end as status,
        to_char(now() at time zone 'UTC' + r.round * interval '1 second',
            'YYYY-MM-DD"T"HH24:MI:SS"Z"') as at,
        row_number() over (order by r.round, md5(t.easypost_id)) - 1 as n
    from known t
    cross join generate_series(1, (
        select EVENTS / greatest(count(*), 1) + 1
        from known)::integer) as r (round)
    order by n
    limit EVENTS) e;
alter table bench.ready add primary key (n);
"""


class Paths:
    """Files of requests for wrk, made of what is in the database."""

    def __init__(self, stack, folder):
        self.stack = stack
        self.folder = pathlib.Path(folder)
        self.key = stack.key_production
        self.event_number = 0
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

    def make_events(self):
        """What EasyPost would send next of so many trackers: each event is of a
        newer document, with one more detail and another status."""
        self.stack.psql(READY.replace("EVENTS", str(EVENTS)))
        self.stack.psql("vacuum analyze bench.ready")
        self.stack.psql("grant usage on schema bench to public;"
                        "grant select on all tables in schema bench to public")

    def webhooks(self, count):
        """New events, signed, each once."""
        rows = self.stack.psql(
            "select convert_from(body, 'UTF8') from bench.ready"
            f" where n >= {self.event_number}"
            f" and n < {min(self.event_number + count, EVENTS // 2)}"
            " order by n")
        if len(rows) < count:
            raise SystemExit(f"webhook: only {EVENTS // 2} events are ready:"
                             " fewer --rounds or --seconds")
        self.event_number += count
        return self.write("webhook", [
            "POST\t/webhooks/easypost\thmac-sha256-hex="
            + hmac.new(SECRET.encode(), body.encode(),
                       hashlib.sha256).hexdigest() + f"\t{body}"
            for (body,) in rows])

    def webhook_script(self, used):
        """The same call.  Each client walks through its own part, in which
        `used` events have been sent before."""
        return [f"\\set n {EVENTS // 2} + :client_id * {PART} + {used} + :i\n"
                "\\set i :i + 1\n"
                "select w.* from bench.ready b,"
                " api.receive_webhook(b.body, 'bench') w where b.n = :n;\n"]

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
