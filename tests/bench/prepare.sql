-- What the seed needs while it runs: its words, its dice, and monthly
-- partitions for the past.  Everything is in one schema, dropped at the end.
-- Variables: seed, since, rows.

create schema seeding;
set search_path = seeding;
set timezone = 'UTC';

create unlogged table word_lists (name text primary key, words text[]);
create unlogged table cities (n integer primary key, city text, state text,
    zip text, scan text, scan_country text);
create unlogged table shops (n integer primary key, name text, city text,
    state text, zip text, scan text, scan_country text);
create unlogged table routes (shop integer, city integer, zone integer,
    first_scan text, first_scan_country text,
    second_scan text, second_scan_country text, primary key (shop, city));
create unlogged table boxes (n integer primary key, weight numeric,
    length numeric, width numeric, height numeric);
create unlogged table ratings (zone integer, parcel integer, national text,
    regional text, primary key (zone, parcel));
create unlogged table offers (zone integer, parcel integer, carrier text,
    service text, place integer, price numeric, days integer,
    is_guaranteed boolean, primary key (zone, parcel, carrier, service));
create unlogged table labels (n integer primary key, carrier text,
    service text, is_regional boolean);
create unlogged table fates (n integer primary key, outcome text,
    is_late boolean);
create unlogged table steps (carrier text, outcome text, hubs integer,
    nth integer, share double precision, place text, status text,
    status_detail text, message text, code text, detail text,
    primary key (carrier, outcome, hubs, nth));

-- Dice that fall the same way in every run with this seed: `salt` tells the
-- throws of one shipment apart.
select format($$
create function dice(i bigint, salt integer) returns bigint
language sql immutable parallel safe
return hashint8extended(i, %1$s + salt) & 9007199254740991;
create function hex(i bigint, salt integer) returns text
language sql immutable parallel safe
return encode(int8send(hashint8extended(i, %1$s + salt))
    || int8send(hashint8extended(i, %1$s + 500 + salt)), 'hex');
$$, :seed::bigint * 1000) \gexec

create function pick(i bigint, salt integer, n integer) returns integer
language sql immutable parallel safe
return (dice(i, salt) % n)::integer;

create function chance(i bigint, salt integer) returns double precision
language sql immutable parallel safe
return dice(i, salt) / 9007199254740992.0::double precision;

create function stamp(at timestamptz) returns text
language sql stable parallel safe
return to_char(at at time zone 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS"Z"');

-- What may be promised on each day, for format(): one to five days later.
create unlogged table promises as
select d.day, array(select stamp(d.day + n * interval '1 day'
            + interval '23 hours') from generate_series(1, 5) n) as stamps
from generate_series(
    date_trunc('day', :'since'::timestamptz) - interval '1 day',
    :'until'::timestamptz, interval '1 day') as d (day);
create unique index on promises (day);

-- Who buys: a customer for each five shipments, some of whom buy much.
create unlogged table customers (n integer primary key, name text, company text,
    street1 text, street2 text, city integer, phone text, email text,
    is_residential boolean);

-- Months of the past, in place of the empty history: what an installation has
-- that has run since then.
create function make_months(p_parent text, p_first timestamptz) returns void
language plpgsql
as $$
declare
    v_rule waybill.partition_rules;
    v_month timestamptz := p_first;
    v_is_used boolean;
begin
    select r.* into v_rule
    from waybill.partition_rules r
    where r.parent = p_parent;
    execute format('select exists (select from waybill.%I)',
        p_parent || '_history') into v_is_used;
    if v_rule.first_month <= p_first or v_is_used then
        return;
    end if;
    perform waybill.retire_partition(p_parent, p_parent || '_history', true,
        v_rule.first_month);
    while v_month < v_rule.first_month loop
        perform waybill.make_partition(p_parent,
            p_parent || to_char(v_month, '_YYYY_MM'),
            waybill.uuid_first(v_month),
            waybill.uuid_first(v_month + interval '1 month'));
        v_month := v_month + interval '1 month';
    end loop;
    perform waybill.make_partition(p_parent, p_parent || '_history', null,
        waybill.uuid_first(p_first));
    update waybill.partition_rules r
    set first_month = p_first
    where r.parent = p_parent;
end
$$;
select make_months(r.parent, date_trunc('month', :'since'::timestamptz))
from waybill.partition_rules r
where r.parent in ('shipment_events', 'webhook_events');
