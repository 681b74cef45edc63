-- One note where there were two.  A status that changes took a shipment out of the
-- figures and put it in again, only because it then arrived in so many days: these days
-- were a key of everything.  Now they are one of `timed` and `seconds` alone, of how many
-- arrived in so many days, and all else is counted where days is 0.

-- Whoever merges waits, before he holds anything that is changed here.
select pg_advisory_xact_lock(hashtextextended('waybill.merge', 0));
-- And so does who writes or reads: all is locked before anything is done, with all that
-- the views are of, or somebody who has the first of it already would wait for the rest.
lock table waybill.shipments in share row exclusive mode;
lock table waybill.analytics_summaries, waybill.carrier_performance,
    waybill.mv_daily_shipment_analytics, waybill.mv_carrier_performance,
    waybill.route_figures in access exclusive mode;

alter table waybill.shipment_deltas
    add column timed integer not null default 0;
update waybill.shipment_deltas d
set timed = d.shipments
where d.days > 0;
alter table waybill.shipment_deltas alter column timed drop default;
comment on column waybill.shipment_deltas.timed is
    'Delivered, and it is known in how many days';

alter table waybill.shipment_days
    add column timed bigint not null default 0;
insert into waybill.shipment_days as k
select d.date, d.mode, d.carrier, d.service, d.currency, 0, sum(d.shipments),
    sum(d.purchased), sum(d.delivered), sum(d.in_transit), sum(d.failed),
    sum(d.cancelled), sum(d.on_time), sum(d.promised), sum(d.cost),
    sum(d.costed), 0
from waybill.shipment_days d
where d.days > 0
group by 1, 2, 3, 4, 5
on conflict (mode, date, carrier, service, currency, days) do update
set (shipments, purchased, delivered, in_transit, failed, cancelled,
    on_time, promised, cost, costed) =
    (k.shipments + excluded.shipments, k.purchased + excluded.purchased,
    k.delivered + excluded.delivered,
    k.in_transit + excluded.in_transit, k.failed + excluded.failed,
    k.cancelled + excluded.cancelled, k.on_time + excluded.on_time,
    k.promised + excluded.promised, k.cost + excluded.cost,
    k.costed + excluded.costed);
update waybill.shipment_days d
set (timed, shipments, purchased, delivered, in_transit, failed, cancelled,
    on_time, promised, cost, costed) =
    (d.shipments, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0)
where d.days > 0;
alter table waybill.shipment_days alter column timed drop default;
comment on column waybill.shipment_days.timed is
    'How many arrived in so many days, seconds in all; the rest is where days is 0';

alter type waybill.fresh_day add attribute timed bigint;

-- Whether a mode has any shipments is asked with each answer.
alter table waybill.analytics_state
    add column shipments bigint not null default 0;
update waybill.analytics_state a
set shipments = (
    select coalesce(sum(d.shipments), 0)
    from waybill.shipment_days d
    where d.mode = a.mode);
comment on column waybill.analytics_state.shipments is
    'Sum of all days; without what shipment_deltas has';

-- --- what is noted -----------------------------------------------------------

drop function waybill.shipment_figures(waybill.shipments);
drop function waybill.figures_of(timestamptz, text, text, text, numeric, text,
    text, timestamptz, timestamptz, boolean, text, text, text, text, text, text,
    timestamptz);

-- What figures are made of: of a row as a value all of its documents would be read.
create type waybill.figure_facts as (
    created_at timestamptz,
    mode text,
    carrier text,
    service text,
    cost numeric,
    currency text,
    status text,
    purchased_at timestamptz,
    delivered_at timestamptz,
    is_on_time boolean,
    from_city text,
    from_state text,
    from_country text,
    to_city text,
    to_state text,
    to_country text,
    deleted_at timestamptz
);

-- What a status and the moments of a journey count as: in one place, and written into
-- each query by PostgreSQL, so that they cost no call.
create function waybill.under_way(p_status text)
returns integer
language sql
immutable
parallel safe
as $$
    select (p_status in ('pre_transit', 'in_transit', 'out_for_delivery',
        'available_for_pickup'))::integer
$$;

create function waybill.failed(p_status text)
returns integer
language sql
immutable
parallel safe
as $$
    select (p_status in ('failure', 'error', 'return_to_sender'))::integer
$$;

create function waybill.cancelled(p_status text)
returns integer
language sql
immutable
parallel safe
as $$
    select (p_status in ('cancelled', 'canceled'))::integer
$$;

-- Statuses that figures_of (and late_count) take as one are one.
create or replace function waybill.standing(p_status text)
returns text
language sql
immutable
parallel safe
as $$
    select case when waybill.under_way(p_status) = 1 then 'in_transit'
        when waybill.failed(p_status) = 1 then 'failed'
        when waybill.cancelled(p_status) = 1 then 'cancelled'
        else p_status end
$$;

-- In how many begun days, and seconds, it came from the purchase to the delivery; 0
-- where it is not delivered or lacks the moments for it.
create function waybill.days_under_way(p_status text,
    p_purchased_at timestamptz, p_delivered_at timestamptz)
returns integer
language sql
immutable
parallel safe
as $$
    select case when p_status = 'delivered'
            and p_delivered_at >= p_purchased_at
        then greatest(1, ceil(date_part('epoch', p_delivered_at
            - p_purchased_at) / 86400)) else 0 end::integer
$$;

create function waybill.seconds_under_way(p_status text,
    p_purchased_at timestamptz, p_delivered_at timestamptz)
returns bigint
language sql
immutable
parallel safe
as $$
    select case when p_status = 'delivered'
            and p_delivered_at >= p_purchased_at
        then date_part('epoch', p_delivered_at - p_purchased_at)
        else 0 end::bigint
$$;

-- What a shipment adds to the figures: no row when it was deleted.  Text is
-- never null, so that it can be a key.  Delivered, failed and the like go by the
-- status.  days: begun ones from the purchase to the delivery; 0, and nothing is timed,
-- where a delivered one lacks the moments for it, nor is the promise counted then.
create function waybill.figures_of(p waybill.figure_facts)
returns table (date date, mode text, carrier text, service text,
    currency text, days integer, from_city text, from_state text,
    from_country text, to_city text, to_state text, to_country text,
    shipments integer, purchased integer, delivered integer,
    in_transit integer, failed integer, cancelled integer, on_time integer,
    promised integer, cost numeric, costed integer, seconds bigint,
    timed integer)
language sql
stable
parallel safe
as $$
    select (p.created_at at time zone 'UTC')::date,
        p.mode,
        coalesce(p.carrier, ''),
        coalesce(p.service, ''),
        case when p.cost is null then '' else coalesce(p.currency, '') end,
        waybill.days_under_way(p.status, p.purchased_at, p.delivered_at),
        p.from_city,
        p.from_state,
        p.from_country,
        p.to_city,
        p.to_state,
        p.to_country,
        1,
        (p.purchased_at is not null)::integer,
        (p.status = 'delivered')::integer,
        waybill.under_way(p.status),
        waybill.failed(p.status),
        waybill.cancelled(p.status),
        case when p.status = 'delivered' and p.is_on_time then 1 else 0 end,
        case when p.status = 'delivered' and p.is_on_time is not null
            then 1 else 0 end,
        coalesce(p.cost, 0),
        (p.cost is not null)::integer,
        waybill.seconds_under_way(p.status, p.purchased_at, p.delivered_at),
        least(waybill.days_under_way(p.status, p.purchased_at,
            p.delivered_at), 1)
    where p.deleted_at is null
$$;

create function waybill.shipment_figures(p waybill.shipments)
returns table (date date, mode text, carrier text, service text,
    currency text, days integer, from_city text, from_state text,
    from_country text, to_city text, to_state text, to_country text,
    shipments integer, purchased integer, delivered integer,
    in_transit integer, failed integer, cancelled integer, on_time integer,
    promised integer, cost numeric, costed integer, seconds bigint,
    timed integer)
language sql
stable
parallel safe
as $$
    select f.*
    from waybill.figures_of(row(p.created_at, p.mode, p.carrier, p.service,
        p.total_cost, p.currency, p.status, p.purchased_at, p.delivered_at,
        waybill.is_on_time(p.delivered_at, p.promised_at,
            p.delivery_date is not null, p.to_country, p.to_state),
        p.from_city, p.from_state, p.from_country, p.to_city, p.to_state,
        p.to_country, p.deleted_at)::waybill.figure_facts) f
$$;

-- By how much they change when no more does than what has become of a shipment; no row
-- when it is another one by what sums are by.  As figures_of of the one less figures_of
-- of the other; but of single columns, which take a third less than two times figures_of,
-- and each change of a shipment waits for it.  One of the two numbers of days is 0.
create function waybill.changed_figures(
    old_created_at timestamptz, old_mode text, old_carrier text,
    old_service text, old_cost numeric, old_currency text, old_status text,
    old_purchased_at timestamptz, old_delivered_at timestamptz,
    old_is_on_time boolean, old_from_city text, old_from_state text,
    old_from_country text, old_to_city text, old_to_state text,
    old_to_country text, old_deleted_at timestamptz,
    new_created_at timestamptz, new_mode text, new_carrier text,
    new_service text, new_cost numeric, new_currency text, new_status text,
    new_purchased_at timestamptz, new_delivered_at timestamptz,
    new_is_on_time boolean, new_from_city text, new_from_state text,
    new_from_country text, new_to_city text, new_to_state text,
    new_to_country text, new_deleted_at timestamptz)
returns table (date date, mode text, carrier text, service text,
    currency text, days integer, from_city text, from_state text,
    from_country text, to_city text, to_state text, to_country text,
    shipments integer, purchased integer, delivered integer,
    in_transit integer, failed integer, cancelled integer, on_time integer,
    promised integer, cost numeric, costed integer, seconds bigint,
    timed integer)
language sql
stable
parallel safe
as $$
    select (new_created_at at time zone 'UTC')::date, new_mode,
        coalesce(new_carrier, ''), coalesce(new_service, ''),
        case when new_cost is null then '' else coalesce(new_currency, '') end,
        waybill.days_under_way(new_status, new_purchased_at, new_delivered_at)
            + waybill.days_under_way(old_status, old_purchased_at, old_delivered_at),
        new_from_city, new_from_state, new_from_country, new_to_city,
        new_to_state, new_to_country, 0,
        (new_purchased_at is not null)::integer
            - (old_purchased_at is not null)::integer,
        (new_status = 'delivered')::integer
            - (old_status = 'delivered')::integer,
        waybill.under_way(new_status) - waybill.under_way(old_status),
        waybill.failed(new_status) - waybill.failed(old_status),
        waybill.cancelled(new_status) - waybill.cancelled(old_status),
        coalesce(new_is_on_time, false)::integer
            - coalesce(old_is_on_time, false)::integer,
        (new_is_on_time is not null)::integer
            - (old_is_on_time is not null)::integer,
        coalesce(new_cost, 0) - coalesce(old_cost, 0), 0,
        waybill.seconds_under_way(new_status, new_purchased_at, new_delivered_at)
            - waybill.seconds_under_way(old_status, old_purchased_at, old_delivered_at),
        least(waybill.days_under_way(new_status, new_purchased_at, new_delivered_at), 1)
            - least(waybill.days_under_way(old_status, old_purchased_at, old_delivered_at), 1)
    where old_deleted_at is null and new_deleted_at is null
        and (old_status <> 'delivered' or new_status <> 'delivered')
        and row(old_created_at, old_mode, old_carrier, old_service,
            old_currency, old_from_city, old_from_state, old_from_country,
            old_to_city, old_to_state, old_to_country, old_cost is null)
        is not distinct from row(new_created_at, new_mode, new_carrier,
            new_service, new_currency, new_from_city, new_from_state,
            new_from_country, new_to_city, new_to_state, new_to_country,
            new_cost is null)
$$;

-- What was left by a shipment that is another one now, and what has come.
create function waybill.note_move(
    p_old waybill.figure_facts, p_new waybill.figure_facts)
returns void
language plpgsql
as $$
begin
    insert into waybill.shipment_deltas (
        date, mode, carrier, service, currency, days, from_city, from_state,
        from_country, to_city, to_state, to_country, shipments, purchased,
        delivered, in_transit, failed, cancelled, on_time, promised, cost,
        costed, seconds, timed)
    select f.date, f.mode, f.carrier, f.service, f.currency, f.days,
        f.from_city, f.from_state, f.from_country, f.to_city, f.to_state,
        f.to_country, -f.shipments, -f.purchased, -f.delivered, -f.in_transit,
        -f.failed, -f.cancelled, -f.on_time, -f.promised, -f.cost, -f.costed,
        -f.seconds, -f.timed
    from waybill.figures_of(p_old) f
    union all
    select f.*
    from waybill.figures_of(p_new) f;
end
$$;

create or replace function waybill.note_new_figures()
returns trigger
language plpgsql
as $$
begin
    insert into waybill.shipment_deltas (
        date, mode, carrier, service, currency, days, from_city, from_state,
        from_country, to_city, to_state, to_country, shipments, purchased,
        delivered, in_transit, failed, cancelled, on_time, promised, cost,
        costed, seconds, timed)
    select f.*
    from new_shipments n
    cross join lateral waybill.shipment_figures(n::waybill.shipments) f;
    return null;
end
$$;

create or replace function waybill.note_old_figures()
returns trigger
language plpgsql
as $$
begin
    insert into waybill.shipment_deltas (
        date, mode, carrier, service, currency, days, from_city, from_state,
        from_country, to_city, to_state, to_country, shipments, purchased,
        delivered, in_transit, failed, cancelled, on_time, promised, cost,
        costed, seconds, timed)
    select f.date, f.mode, f.carrier, f.service, f.currency, f.days,
        f.from_city, f.from_state, f.from_country, f.to_city, f.to_state,
        f.to_country, -f.shipments, -f.purchased, -f.delivered, -f.in_transit,
        -f.failed, -f.cancelled, -f.on_time, -f.promised, -f.cost, -f.costed,
        -f.seconds, -f.timed
    from old_shipments o
    cross join lateral waybill.shipment_figures(o::waybill.shipments) f;
    return null;
end
$$;

-- The figures of before leave, those of now come: in one note where nothing changes but
-- what has become of a shipment, in two where it is another one by what sums are by.
-- Where it is the same by the sums, and only what is late has changed, which no sum has
-- (late_count), a note of nothing says that what was ready is so no longer.  Most
-- updates change none: that is seen here and not by the trigger's own condition, which
-- PostgreSQL would read anew for each statement.
create or replace function waybill.note_changed_figures()
returns trigger
language plpgsql
as $$
declare
    v_was_on_time boolean;
    v_is_on_time boolean;
begin
    if row(waybill.standing(old.status), old.delivered_at, old.promised_at,
            old.purchased_at, old.total_cost, old.currency, old.carrier,
            old.service, old.delivery_date is null, old.created_at,
            old.mode, old.deleted_at, old.from_city, old.from_state,
            old.from_country, old.to_city, old.to_state, old.to_country)
        is not distinct from
        row(waybill.standing(new.status), new.delivered_at, new.promised_at,
            new.purchased_at, new.total_cost, new.currency, new.carrier,
            new.service, new.delivery_date is null, new.created_at,
            new.mode, new.deleted_at, new.from_city, new.from_state,
            new.from_country, new.to_city, new.to_state, new.to_country)
    then
        return null;
    end if;
    if old.status = 'delivered' then
        v_was_on_time := waybill.is_on_time(old.delivered_at, old.promised_at,
            old.delivery_date is not null, old.to_country, old.to_state);
    end if;
    if new.status = 'delivered' then
        v_is_on_time := waybill.is_on_time(new.delivered_at, new.promised_at,
            new.delivery_date is not null, new.to_country, new.to_state);
    end if;
    insert into waybill.shipment_deltas (
        date, mode, carrier, service, currency, days, from_city, from_state,
        from_country, to_city, to_state, to_country, shipments, purchased,
        delivered, in_transit, failed, cancelled, on_time, promised, cost,
        costed, seconds, timed)
    select f.*
    from waybill.changed_figures(old.created_at, old.mode, old.carrier, old.service,
        old.total_cost, old.currency, old.status, old.purchased_at,
        old.delivered_at, v_was_on_time, old.from_city, old.from_state,
        old.from_country, old.to_city, old.to_state, old.to_country, old.deleted_at,
        new.created_at, new.mode, new.carrier, new.service, new.total_cost,
        new.currency, new.status, new.purchased_at, new.delivered_at, v_is_on_time,
        new.from_city, new.from_state, new.from_country, new.to_city, new.to_state,
        new.to_country, new.deleted_at) f;
    if not found then
        perform waybill.note_move(row(old.created_at, old.mode, old.carrier,
            old.service, old.total_cost, old.currency, old.status, old.purchased_at,
            old.delivered_at, v_was_on_time, old.from_city, old.from_state,
            old.from_country, old.to_city, old.to_state, old.to_country,
            old.deleted_at)::waybill.figure_facts, row(new.created_at, new.mode,
            new.carrier, new.service, new.total_cost, new.currency, new.status,
            new.purchased_at, new.delivered_at, v_is_on_time, new.from_city,
            new.from_state, new.from_country, new.to_city, new.to_state,
            new.to_country, new.deleted_at)::waybill.figure_facts);
    end if;
    return null;
end
$$;

-- All are gone, and so is all that was noted of them.
create function waybill.forget_figures()
returns trigger
language plpgsql
as $$
begin
    perform pg_advisory_xact_lock(hashtextextended('waybill.merge', 0));
    delete from waybill.shipment_deltas;
    delete from waybill.shipment_days;
    delete from waybill.country_days;
    delete from waybill.recent_routes;
    update waybill.analytics_state a
    set shipments = 0,
        changed_at = now();
    update waybill.dashboards d
    set since = '-infinity';
    return null;
end
$$;

create trigger shipments_no_figures
    after truncate on waybill.shipments
    for each statement execute function waybill.forget_figures();

-- --- what is read ------------------------------------------------------------

-- Parts of sums, to be summed: what is merged, and what is not yet.
create or replace view waybill.figures as
    select d.date, d.mode, d.carrier, d.service, d.currency, d.days,
        d.shipments, d.purchased, d.delivered, d.in_transit, d.failed, d.cancelled,
        d.on_time, d.promised, d.cost, d.costed, d.seconds, d.timed
    from waybill.shipment_days d
    union all
    select d.date, d.mode, d.carrier, d.service, d.currency, 0, d.shipments,
        d.purchased, d.delivered, d.in_transit, d.failed, d.cancelled, d.on_time,
        d.promised, d.cost, d.costed, 0, 0
    from waybill.shipment_deltas d
    where d.xid >= (select min(a.horizon) from waybill.analytics_state a)
    union all
    select d.date, d.mode, d.carrier, d.service, d.currency, d.days, 0, 0, 0,
        0, 0, 0, 0, 0, 0, 0, d.seconds, d.timed
    from waybill.shipment_deltas d
    where d.xid >= (select min(a.horizon) from waybill.analytics_state a)
        and d.days > 0;

-- The same, summed up; what has come to nothing is left out.
create or replace view waybill.daily_figures as
    select f.date, f.mode, f.carrier, f.service, f.currency, f.days,
        sum(f.shipments)::bigint as shipments,
        sum(f.purchased)::bigint as purchased,
        sum(f.delivered)::bigint as delivered,
        sum(f.in_transit)::bigint as in_transit,
        sum(f.failed)::bigint as failed,
        sum(f.cancelled)::bigint as cancelled,
        sum(f.on_time)::bigint as on_time,
        sum(f.promised)::bigint as promised,
        sum(f.cost) as cost,
        sum(f.costed)::bigint as costed,
        sum(f.seconds)::bigint as seconds,
        sum(f.timed)::bigint as timed
    from waybill.figures f
    group by f.date, f.mode, f.carrier, f.service, f.currency, f.days
    having sum(f.shipments) <> 0 or sum(f.timed) <> 0;
create or replace view waybill.route_figures as
    select r.mode, r.from_city, r.from_state, r.from_country, r.to_city,
        r.to_state, r.to_country, r.currency, r.shipments, r.cost, r.costed,
        r.delivered, r.seconds
    from waybill.recent_routes r
    union all
    select d.mode, d.from_city, d.from_state, d.from_country, d.to_city,
        d.to_state, d.to_country, d.currency, d.shipments, d.cost, d.costed,
        d.timed, d.seconds
    from waybill.shipment_deltas d
    join waybill.analytics_state a on a.mode = d.mode
    where d.xid >= a.horizon
        and d.date >= a.routes_from;

-- Which mode analytics count: production, or test where only test exists.  Not in sql,
-- which is planned anew for each answer.
create or replace function waybill.analytics_mode()
returns text
language plpgsql
stable
parallel safe
as $$
declare
    v_modes text[] := array(
        select a.mode
        from waybill.analytics_state a
        where a.shipments + coalesce((
            select sum(d.shipments)
            from waybill.shipment_deltas d
            where d.xid >= a.horizon
                and d.mode = a.mode), 0) > 0);
begin
    return case when v_modes = '{test}' then 'test' else 'production' end;
end
$$;

-- Within how many begun days that share of the parcels arrived, by counts of
-- parcels in order of their days; null when there are none.
create or replace function waybill.days_percentile(
    p_share numeric, p_days integer[], p_parcels bigint[])
returns integer
language plpgsql
immutable
parallel safe
as $$
begin
    return (
        select min(c.days)
        from (
            select u.days,
                sum(u.parcels) over (order by u.days) as so_far,
                sum(u.parcels) over () as parcels
            from unnest(p_days, p_parcels) as u (days, parcels)) c
        where c.parcels > 0
            and c.so_far >= p_share * c.parcels);
end
$$;

create or replace view waybill.mv_daily_shipment_analytics as
    select f.date,
        f.carrier,
        f.service,
        sum(f.shipments)::bigint as shipment_count,
        case when count(distinct f.currency) filter (where f.costed > 0)
            <= 1
            then case when sum(f.costed) > 0 then sum(f.cost) end
            end as total_cost,
        case when count(distinct f.currency) filter (where f.costed > 0)
            <= 1
            then round(sum(f.cost) / nullif(sum(f.costed), 0), 4)
            end as avg_cost,
        case when count(distinct f.currency) filter (where f.costed > 0)
            <= 1
            then min(nullif(f.currency, '')) filter (where f.costed > 0)
            end as currency,
        sum(f.costed)::bigint as cost_sample,
        sum(f.purchased)::bigint as purchased_count,
        sum(f.delivered)::bigint as delivered_count,
        sum(f.in_transit)::bigint as in_transit_count,
        sum(f.failed)::bigint as failed_count,
        sum(f.cancelled)::bigint as cancelled_count,
        round(sum(f.seconds) / 86400.0
            / nullif(sum(f.timed), 0), 3)
            as avg_delivery_days,
        sum(f.timed)::bigint as delivery_days_sample,
        round(100.0 * sum(f.on_time) / nullif(sum(f.promised), 0), 2)
            as on_time_rate,
        sum(f.promised)::bigint as on_time_sample,
        waybill.days_percentile(0.5, array_agg(f.days)
            filter (where f.days > 0), array_agg(f.timed)
            filter (where f.days > 0)) as delivery_days_p50,
        waybill.days_percentile(0.9, array_agg(f.days)
            filter (where f.days > 0), array_agg(f.timed)
            filter (where f.days > 0)) as delivery_days_p90
    from waybill.daily_figures f
    where f.mode = (select waybill.analytics_mode())
        and f.date >= (now() at time zone 'UTC')::date - 89
    group by f.date, f.carrier, f.service;
create or replace view waybill.mv_carrier_performance as
    select f.carrier,
        f.service,
        sum(f.shipments)::bigint as total_shipments,
        case when count(distinct f.currency) filter (where f.costed > 0)
            <= 1
            then case when sum(f.costed) > 0 then sum(f.cost) end
            end as total_revenue,
        case when count(distinct f.currency) filter (where f.costed > 0)
            <= 1
            then case when sum(f.costed) > 0 then sum(f.cost) end
            end as total_cost,
        case when count(distinct f.currency) filter (where f.costed > 0)
            <= 1
            then round(sum(f.cost) / nullif(sum(f.costed), 0), 4)
            end as avg_cost,
        case when count(distinct f.currency) filter (where f.costed > 0)
            <= 1
            then min(nullif(f.currency, '')) filter (where f.costed > 0)
            end as currency,
        sum(f.costed)::bigint as cost_sample,
        sum(f.delivered)::bigint as delivered_count,
        (sum(f.delivered) + sum(f.failed))::bigint as completed_count,
        sum(f.failed)::bigint as failed_count,
        round(100.0 * sum(f.on_time) / nullif(sum(f.promised), 0), 2)
            as on_time_rate,
        sum(f.promised)::bigint as on_time_sample,
        round(sum(f.seconds) / 86400.0
            / nullif(sum(f.timed), 0), 3)
            as avg_delivery_days,
        sum(f.timed)::bigint as delivery_days_sample,
        waybill.days_percentile(0.5, array_agg(f.days)
            filter (where f.days > 0), array_agg(f.timed)
            filter (where f.days > 0)) as delivery_days_p50,
        waybill.days_percentile(0.9, array_agg(f.days)
            filter (where f.days > 0), array_agg(f.timed)
            filter (where f.days > 0)) as delivery_days_p90
    from waybill.daily_figures f
    where f.mode = (select waybill.analytics_mode())
        and f.date >= (now() at time zone 'UTC')::date - 89
        and f.carrier <> ''
    group by f.carrier, f.service;
create or replace view waybill.carrier_performance as
    select waybill.key_id(f.mode, f.date::text, f.carrier, f.service,
            f.currency) as id,
        f.carrier,
        f.service,
        f.date,
        f.date::timestamp at time zone 'UTC' as created_at,
        f.mode,
        sum(f.shipments)::bigint as total_shipments,
        sum(f.on_time)::bigint as on_time_deliveries,
        sum(f.promised - f.on_time)::bigint as delayed_deliveries,
        sum(f.failed)::bigint as failed_deliveries,
        case when sum(f.costed) > 0 then sum(f.cost) end as total_cost,
        round(sum(f.cost) / nullif(sum(f.costed), 0), 4) as average_cost,
        f.currency,
        round(sum(f.seconds) / 86400.0
            / nullif(sum(f.timed), 0), 3)
            as average_delivery_days,
        min(nullif(f.days, 0)) as min_delivery_days,
        max(nullif(f.days, 0)) as max_delivery_days,
        round(100.0 * sum(f.on_time) / nullif(sum(f.promised), 0), 2)
            as on_time_rate,
        round(100.0 * sum(f.delivered)
            / nullif(sum(f.delivered + f.failed), 0), 2) as reliability_score,
        waybill.days_percentile(0.5, array_agg(f.days)
            filter (where f.days > 0), array_agg(f.timed)
            filter (where f.days > 0)) as delivery_days_p50,
        waybill.days_percentile(0.9, array_agg(f.days)
            filter (where f.days > 0), array_agg(f.timed)
            filter (where f.days > 0)) as delivery_days_p90
    from waybill.daily_figures f
    where f.carrier <> ''
    group by f.date, f.mode, f.carrier, f.service, f.currency;
create or replace view waybill.analytics_summaries as
    with periods as (
        select f.mode, f.currency, f.carrier, f.service, p.period,
            case p.period when 'daily' then f.date
                when 'weekly' then date_trunc('week', f.date)::date
                else date_trunc('month', f.date)::date end as date,
            f.shipments, f.delivered, f.failed, f.on_time, f.promised, f.cost,
            f.costed, f.seconds, f.timed, f.days
        from waybill.daily_figures f
        cross join (values ('daily'), ('weekly'), ('monthly')) as p (period)
    ),
    carriers as (
        select c.mode, c.currency, c.period, c.date,
            jsonb_object_agg(c.carrier, jsonb_build_object(
                'shipments', c.shipments, 'delivered', c.delivered,
                'failed', c.failed, 'total_cost', c.cost::text))
                filter (where c.carrier <> '') as stats
        from (
            select p.mode, p.currency, p.period, p.date, p.carrier,
                sum(p.shipments) as shipments, sum(p.delivered) as delivered,
                sum(p.failed) as failed, sum(p.cost) as cost
            from periods p
            group by p.mode, p.currency, p.period, p.date, p.carrier) c
        group by c.mode, c.currency, c.period, c.date
    ),
    services as (
        select s.mode, s.currency, s.period, s.date,
            jsonb_object_agg(s.carrier || ' ' || s.service, s.shipments)
                filter (where s.carrier <> '') as breakdown
        from (
            select p.mode, p.currency, p.period, p.date, p.carrier, p.service,
                sum(p.shipments) as shipments
            from periods p
            group by p.mode, p.currency, p.period, p.date, p.carrier,
                p.service) s
        group by s.mode, s.currency, s.period, s.date
    ),
    countries as (
        select c.mode, c.currency, c.period, c.date,
            jsonb_object_agg(c.to_country, c.shipments)
                filter (where c.to_country <> '') as destinations,
            jsonb_build_object(
                'domestic', coalesce(sum(c.domestic), 0),
                'international', coalesce(sum(c.international), 0))
                as domestic_vs_international
        from (
            select f.mode, f.currency, p.period,
                case p.period when 'daily' then f.date
                    when 'weekly' then date_trunc('week', f.date)::date
                    else date_trunc('month', f.date)::date end as date,
                f.to_country,
                sum(f.shipments) as shipments,
                sum(f.shipments) filter (where f.from_country = f.to_country
                    and f.to_country <> '') as domestic,
                sum(f.shipments) filter (where f.from_country <> f.to_country
                    and '' not in (f.from_country, f.to_country))
                    as international
            from waybill.country_figures f
            cross join (values ('daily'), ('weekly'), ('monthly'))
                as p (period)
            group by 1, 2, 3, 4, 5
            having sum(f.shipments) <> 0) c
        group by c.mode, c.currency, c.period, c.date
    )
    select waybill.key_id(p.mode, p.period, p.date::text, p.currency) as id,
        p.date,
        p.period,
        p.date::timestamp at time zone 'UTC' as created_at,
        p.mode,
        p.shipments as total_shipments,
        p.delivered as successful_shipments,
        p.failed as failed_shipments,
        case when p.costed > 0 then p.cost end as total_cost,
        round(p.cost / nullif(p.costed, 0), 4) as average_cost_per_shipment,
        p.currency,
        round(p.seconds / 86400.0 / nullif(p.timed, 0), 3)
            as average_delivery_days,
        p.timed as delivery_days_sample,
        round(100.0 * p.on_time / nullif(p.promised, 0), 2)
            as on_time_delivery_rate,
        p.promised as on_time_sample,
        c.stats as carrier_stats,
        t.destinations as top_destinations,
        t.domestic_vs_international,
        s.breakdown as service_breakdown,
        p.days_p50 as delivery_days_p50,
        p.days_p90 as delivery_days_p90
    from (
        select p.mode, p.currency, p.period, p.date,
            sum(p.shipments)::bigint as shipments,
            sum(p.delivered)::bigint as delivered,
            sum(p.failed)::bigint as failed, sum(p.cost) as cost,
            sum(p.costed)::bigint as costed, sum(p.seconds) as seconds,
            sum(p.timed)::bigint as timed, sum(p.on_time) as on_time,
            sum(p.promised)::bigint as promised,
            waybill.days_percentile(0.5, array_agg(p.days)
                filter (where p.days > 0), array_agg(p.timed)
                filter (where p.days > 0)) as days_p50,
            waybill.days_percentile(0.9, array_agg(p.days)
                filter (where p.days > 0), array_agg(p.timed)
                filter (where p.days > 0)) as days_p90
        from periods p
        group by p.mode, p.currency, p.period, p.date) p
    left join carriers c using (mode, currency, period, date)
    left join services s using (mode, currency, period, date)
    left join countries t using (mode, currency, period, date);

revoke all on function
    waybill.shipment_figures(waybill.shipments),
    waybill.under_way(text),
    waybill.failed(text),
    waybill.cancelled(text),
    waybill.days_under_way(text, timestamptz, timestamptz),
    waybill.seconds_under_way(text, timestamptz, timestamptz),
    waybill.figures_of(waybill.figure_facts),
    waybill.changed_figures,
    waybill.note_move(waybill.figure_facts, waybill.figure_facts),
    waybill.forget_figures(),
    waybill.days_percentile(numeric, integer[], bigint[])
from public;
grant execute on function
    waybill.days_percentile(numeric, integer[], bigint[])
to waybill_reader;
