"""What EasyPost would send next: events that are ready, each to be sent once.

Each is of a newer document of a tracker, with one more detail, and of another
status, so that the figures change with each: delivered, on its way, delivered.
"""

MAKE = """
create table bench.{name} as
with known as materialized (
    select t.*, row_number() over (order by t.easypost_id) - 1 as number
    from waybill.trackers t
    join waybill.shipments s on s.id = t.shipment_id
    where t.created_at < now() - interval '40 days'
        and s.mode = 'production'
        and {which}
    order by t.created_at desc
    limit {count}),
kept as (
    select k.*, r.round
    from known k
    cross join generate_series(0, 2 * {count} / (
        select greatest(count(*), 1) from known)) as r (round))
select (e.client * {part} + e.place)::integer as n, convert_to(format(
    '{{"description":"tracker.updated","mode":"%s",'
    '"previous_attributes":{{"status":"in_transit"}},"created_at":"%s",'
    '"pending_urls":[],"completed_urls":[],"updated_at":"%s","id":"evt_%s",'
    '"user_id":"user_ce91f36f75a9b8f7b24a0ebe5e43dc4a","status":"pending",'
    '"object":"Event","result":%s}}', mode, at, at,
    md5('{name}' || now() || client || place),
    json_build_object('id', easypost_id, 'object', 'Tracker', 'mode', mode,
        'tracking_code', tracking_code, 'status', next,
        'status_detail', 'arrived_at_destination',
        'created_at', to_char(created_at, 'YYYY-MM-DD"T"HH24:MI:SS"Z"'),
        'updated_at', at, 'signed_by', null, 'weight', null,
        'est_delivery_date',
        to_char(est_delivery_date, 'YYYY-MM-DD"T"HH24:MI:SS"Z"'),
        'shipment_id', shipment_easypost_id, 'carrier', carrier,
        'tracking_details', coalesce(tracking_details::jsonb, '[]')
            || jsonb_build_object(
            'object', 'TrackingDetail', 'source', carrier, 'status', next,
            'message', 'Arrived at Facility', 'datetime', at,
            'description', '', 'carrier_code', 'AR',
            'status_detail', 'arrived_at_facility', 'tracking_location',
            jsonb_build_object('object', 'TrackingLocation', 'city', 'TAMPA',
                'state', 'FL', 'zip', '33602', 'country', 'US')),
        'carrier_detail', null, 'finalized', false, 'is_return', false,
        'public_url', public_url)::text), 'UTF8') as body
from (
    select k.*, k.number % {clients} as client,
        row_number() over (partition by k.number % {clients}
            order by k.round, md5(k.easypost_id)) - 1 as place,
        case when k.round % 2 = 0 then 'in_transit' else 'delivered' end
            as next,
        to_char(now() at time zone 'UTC' + interval '{days} days'
            + k.round * interval '1 second', 'YYYY-MM-DD"T"HH24:MI:SS"Z"')
            as at
    from kept k) e
where e.place < {part};
alter table bench.{name} add primary key (n);
vacuum analyze bench.{name};
grant select on bench.{name} to public;
"""
# Of one day, carrier and service: as many as there are of any.
ONE_GROUP = """(date_trunc('day', s.created_at), s.carrier, s.service) = (
    select date_trunc('day', g.created_at), g.carrier, g.service
    from waybill.shipments g
    join waybill.trackers u on u.shipment_id = g.id
    where g.created_at < now() - interval '40 days'
        and g.mode = 'production'
    group by 1, 2, 3
    order by count(*) desc
    limit 1)"""


PER_SECOND = 2000  # twice as many as were ever sent


class Events:
    """For so many runs of so many seconds.  Of each client there is a part, of
    trackers of its own: an event that comes after a newer one of its tracker changes
    nothing."""

    def __init__(self, name, clients, runs, seconds, which="true", days=0):
        self.name, self.clients, self.seconds = name, clients, seconds
        self.which, self.days = which, days  # later than those of the others
        self.share = PER_SECOND * seconds // clients  # of a client, in one run
        self.part = self.share * runs
        self.used = 0

    def make(self, psql):
        text = MAKE.format(name=self.name, clients=self.clients, part=self.part,
                           count=self.clients * self.part, which=self.which,
                           days=self.days)
        for statement in text.split(";\n"):
            if statement.strip():
                psql(statement)

    def next_run(self):
        """The script of pgbench, which begins with the variable i = 0."""
        script = (f"\\set n :client_id * {self.part} + {self.used} + :i\n"
                  "\\set i :i + 1\n"
                  f"select w.* from bench.{self.name} b,"
                  " api.receive_webhook(b.body, 'bench') w where b.n = :n;\n")
        self.used += self.share
        return script

    def take(self, psql, count):
        """The next so many of the only client, as text."""
        rows = psql(f"select convert_from(body, 'UTF8') from bench.{self.name}"
                    f" where n >= {self.used} and n < {self.used + count}"
                    " order by n")
        if len(rows) < count:
            raise SystemExit(f"webhook: only {self.part} events are ready:"
                             " fewer --rounds or --seconds")
        self.used += count
        return [body for (body,) in rows]
