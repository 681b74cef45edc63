-- Figures that are never stale: whatever changes a shipment also notes, in the
-- same transaction, by how much it changes the figures; once a second the notes
-- are merged into daily sums, and reads add what is not merged yet.
--
-- What must stay true, at every moment and in every snapshot:
--     shipments  =  shipment_days + shipment_deltas   (and so by route)
-- Writers only append, so that nobody waits for anybody; what a merge or a read
-- costs follows the changes and the days, never the number of shipments.

-- The views with the original's names come back below, over these sums.
drop materialized view waybill.mv_daily_shipment_analytics,
    waybill.mv_carrier_performance, waybill.mv_top_routes;
drop view waybill.recent_shipments;
drop table waybill.analytics_summaries, waybill.carrier_performance,
    waybill.shipment_metrics;

alter table waybill.refresh_history
    add column drift bigint
        constraint refresh_history_drift_check check (drift >= 0);
comment on column waybill.refresh_history.drift is
    'How many groups were not what the shipments say, and were repaired; must be 0';

alter table waybill.shipments add column fees jsonb;
comment on column waybill.shipments.fees is
    'What EasyPost charged, fee by fee: type, amount, refunded';
comment on column waybill.shipments.total_cost is
    'Sum of the fees less what was refunded; the selected rate when none are told';

-- Late is looked up by the promise, among those that are still under way.
create index ix_shipments_promised
    on waybill.shipments (mode, promised_at)
    where deleted_at is null and delivered_at is null and status in (
        'unknown', 'pre_transit', 'in_transit', 'out_for_delivery',
        'available_for_pickup');

-- What a shipment adds to the figures: no row when it was deleted.  Text is
-- never null, so that it can be a key.  days: begun days from the purchase to
-- the delivery, 0 when it was not delivered or nobody knows when it was bought.
create function waybill.shipment_figures(p waybill.shipments)
returns table (date date, mode text, carrier text, service text,
    currency text, days integer, from_city text, from_state text,
    from_country text, to_city text, to_state text, to_country text,
    shipments integer, purchased integer, delivered integer,
    in_transit integer, failed integer, cancelled integer, on_time integer,
    promised integer, cost numeric, costed integer, seconds bigint)
language sql
stable
parallel safe
as $$
    select (p.created_at at time zone 'UTC')::date,
        p.mode,
        coalesce(p.carrier, ''),
        coalesce(p.service, ''),
        case when p.total_cost is null then '' else coalesce(p.currency, '')
        end,
        case when p.delivered_at >= p.purchased_at then greatest(1, ceil(
            date_part('epoch', p.delivered_at - p.purchased_at) / 86400))
            else 0 end::integer,
        coalesce(p.from_address ->> 'city', ''),
        coalesce(p.from_address ->> 'state', ''),
        coalesce(p.from_address ->> 'country', ''),
        coalesce(p.to_address ->> 'city', ''),
        coalesce(p.to_address ->> 'state', ''),
        coalesce(p.to_address ->> 'country', ''),
        1,
        (p.purchased_at is not null)::integer,
        (p.delivered_at is not null)::integer,
        (p.status in ('pre_transit', 'in_transit', 'out_for_delivery',
            'available_for_pickup'))::integer,
        (p.status in ('failure', 'error', 'return_to_sender')
            and p.delivered_at is null)::integer,
        (p.status in ('cancelled', 'canceled'))::integer,
        coalesce(waybill.is_on_time(p.delivered_at, p.promised_at),
            false)::integer,
        (p.delivered_at is not null and p.promised_at is not null)::integer,
        coalesce(p.total_cost, 0),
        (p.total_cost is not null)::integer,
        case when p.delivered_at >= p.purchased_at then
            date_part('epoch', p.delivered_at - p.purchased_at)
            else 0 end::bigint
    where p.deleted_at is null
$$;

create table waybill.shipment_deltas (
    date date not null,
    mode text not null,
    carrier text not null,
    service text not null,
    currency text not null,
    days integer not null,
    from_city text not null,
    from_state text not null,
    from_country text not null,
    to_city text not null,
    to_state text not null,
    to_country text not null,
    shipments integer not null,
    purchased integer not null,
    delivered integer not null,
    in_transit integer not null,
    failed integer not null,
    cancelled integer not null,
    on_time integer not null,
    promised integer not null,
    cost numeric not null,
    costed integer not null,
    seconds bigint not null,
    changed_at timestamptz not null default now(),
    xid xid8 not null default pg_current_xact_id()
) with (autovacuum_vacuum_threshold = 1000, autovacuum_vacuum_scale_factor = 0,
    autovacuum_vacuum_insert_threshold = -1, autovacuum_vacuum_cost_delay = 0);
comment on table waybill.shipment_deltas is
    'By how much the figures have changed since the last merge';
-- By the transaction: what was merged lies below the horizon of analytics_state,
-- and nobody has to step over it.
create index ix_shipment_deltas_xid on waybill.shipment_deltas (xid);

create table waybill.shipment_days (
    date date not null,
    mode text not null,
    carrier text not null,
    service text not null,
    currency text not null,
    days integer not null,
    shipments bigint not null,
    purchased bigint not null,
    delivered bigint not null,
    in_transit bigint not null,
    failed bigint not null,
    cancelled bigint not null,
    on_time bigint not null,
    promised bigint not null,
    cost numeric not null,
    costed bigint not null,
    seconds bigint not null,
    constraint shipment_days_pkey
        primary key (mode, date, carrier, service, currency, days)
) with (fillfactor = 70, autovacuum_vacuum_scale_factor = 0.02);
comment on table waybill.shipment_days is
    'Sums of a day of creation (UTC); without what shipment_deltas has';
comment on column waybill.shipment_days.promised is
    'Delivered, and the day was promised: the sample of on_time';

create table waybill.country_days (
    date date not null,
    mode text not null,
    from_country text not null,
    to_country text not null,
    currency text not null,
    shipments bigint not null,
    cost numeric not null,
    costed bigint not null,
    constraint country_days_pkey
        primary key (mode, date, from_country, to_country, currency)
) with (fillfactor = 70);

-- Of the last 90 days, from analytics_state.routes_from on.
create table waybill.recent_routes (
    mode text not null,
    from_city text not null,
    from_state text not null,
    from_country text not null,
    to_city text not null,
    to_state text not null,
    to_country text not null,
    currency text not null,
    shipments bigint not null,
    cost numeric not null,
    costed bigint not null,
    delivered bigint not null,
    seconds bigint not null,
    constraint recent_routes_pkey primary key (mode, from_city, from_state,
        from_country, to_city, to_state, to_country, currency)
) with (fillfactor = 80);
create index ix_recent_routes_shipments
    on waybill.recent_routes (mode, shipments desc);
comment on column waybill.recent_routes.delivered is
    'How many of them seconds counts';

create table waybill.analytics_state (
    mode text primary key
        constraint analytics_state_mode_check
        check (mode in ('test', 'production')),
    horizon xid8 not null default '0',
    routes_from date not null,
    changed_at timestamptz,
    merged_at timestamptz not null default now()
);
comment on column waybill.analytics_state.horizon is
    'What was noted by older transactions has been merged';
comment on column waybill.analytics_state.changed_at is
    'When what is merged has last changed';
insert into waybill.analytics_state (mode, routes_from)
select m.mode, (now() at time zone 'UTC')::date - 90
from unnest(array['test', 'production']) as m (mode);

-- Answers that are ready: true of their day, while nothing is unmerged.
create table waybill.dashboards (
    mode text not null,
    days integer not null,
    date date not null,
    body json not null,
    constraint dashboards_pkey primary key (mode, days)
) with (fillfactor = 50);
select waybill.compress_fast('dashboards', 'body');

-- --- what is noted -----------------------------------------------------------

create function waybill.note_new_figures()
returns trigger
language plpgsql
as $$
begin
    insert into waybill.shipment_deltas
    select f.*
    from new_shipments n
    cross join lateral waybill.shipment_figures(n::waybill.shipments) f;
    return null;
end
$$;

create function waybill.note_old_figures()
returns trigger
language plpgsql
as $$
begin
    insert into waybill.shipment_deltas
    select f.date, f.mode, f.carrier, f.service, f.currency, f.days,
        f.from_city, f.from_state, f.from_country, f.to_city, f.to_state,
        f.to_country, -f.shipments, -f.purchased, -f.delivered, -f.in_transit,
        -f.failed, -f.cancelled, -f.on_time, -f.promised, -f.cost, -f.costed,
        -f.seconds
    from old_shipments o
    cross join lateral waybill.shipment_figures(o::waybill.shipments) f;
    return null;
end
$$;

-- By how much an update changes the figures.  Each is taken from the columns it needs:
-- a row as a value would be made whole first, with all documents in it.  due: the
-- day by which a parcel under way was promised (late_count), which no sum has: when
-- only that changes, a note of nothing says that what was ready is so no longer.
create function waybill.note_changed_figures()
returns trigger
language plpgsql
as $$
begin
    insert into waybill.shipment_deltas
    select c.date, c.mode, c.carrier, c.service, c.currency, c.days,
        c.from_city, c.from_state, c.from_country, c.to_city, c.to_state,
        c.to_country, sum(c.sign * c.shipments), sum(c.sign * c.purchased),
        sum(c.sign * c.delivered), sum(c.sign * c.in_transit),
        sum(c.sign * c.failed), sum(c.sign * c.cancelled),
        sum(c.sign * c.on_time), sum(c.sign * c.promised),
        sum(c.sign * c.cost), sum(c.sign * c.costed),
        sum(c.sign * c.seconds)
    from (
        select -1 as sign, waybill.due_day(o.promised_at, o.delivered_at,
            o.status) as due, f.*
        from old_shipments o
        cross join lateral waybill.shipment_figures(o::waybill.shipments) f
        union all
        select 1, waybill.due_day(n.promised_at, n.delivered_at, n.status),
            f.*
        from new_shipments n
        cross join lateral waybill.shipment_figures(n::waybill.shipments) f) c
    group by 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12
    having row(sum(c.sign * c.shipments), sum(c.sign * c.purchased),
        sum(c.sign * c.delivered), sum(c.sign * c.in_transit),
        sum(c.sign * c.failed), sum(c.sign * c.cancelled),
        sum(c.sign * c.on_time), sum(c.sign * c.promised),
        sum(c.sign * c.cost), sum(c.sign * c.costed), sum(c.sign * c.seconds),
        sum(c.sign * c.due))
        <> row(0, 0, 0, 0, 0, 0, 0, 0, 0.0, 0, 0, 0);
    return null;
end
$$;

create trigger shipments_new_figures
    after insert on waybill.shipments
    referencing new table as new_shipments
    for each statement execute function waybill.note_new_figures();
create trigger shipments_changed_figures
    after update on waybill.shipments
    referencing old table as old_shipments new table as new_shipments
    for each statement execute function waybill.note_changed_figures();
create trigger shipments_old_figures
    after delete on waybill.shipments
    referencing old table as old_shipments
    for each statement execute function waybill.note_old_figures();

-- --- what is read ------------------------------------------------------------

-- Parts of sums, to be summed: what is merged, and what is not yet.
create view waybill.figures as
    select d.date, d.mode, d.carrier, d.service, d.currency, d.days,
        d.shipments, d.purchased, d.delivered, d.in_transit, d.failed,
        d.cancelled, d.on_time, d.promised, d.cost, d.costed, d.seconds
    from waybill.shipment_days d
    union all
    select d.date, d.mode, d.carrier, d.service, d.currency, d.days,
        d.shipments, d.purchased, d.delivered, d.in_transit, d.failed,
        d.cancelled, d.on_time, d.promised, d.cost, d.costed, d.seconds
    from waybill.shipment_deltas d
    where d.xid >= (select min(a.horizon) from waybill.analytics_state a);

create view waybill.country_figures as
    select d.date, d.mode, d.from_country, d.to_country, d.currency,
        d.shipments, d.cost, d.costed
    from waybill.country_days d
    union all
    select d.date, d.mode, d.from_country, d.to_country, d.currency,
        d.shipments, d.cost, d.costed
    from waybill.shipment_deltas d
    where d.xid >= (select min(a.horizon) from waybill.analytics_state a);

create view waybill.route_figures as
    select r.mode, r.from_city, r.from_state, r.from_country, r.to_city,
        r.to_state, r.to_country, r.currency, r.shipments, r.cost, r.costed,
        r.delivered, r.seconds
    from waybill.recent_routes r
    union all
    select d.mode, d.from_city, d.from_state, d.from_country, d.to_city,
        d.to_state, d.to_country, d.currency, d.shipments, d.cost, d.costed,
        sign(d.days)::integer * d.shipments, d.seconds
    from waybill.shipment_deltas d
    join waybill.analytics_state a on a.mode = d.mode
    where d.xid >= a.horizon
        and d.date >= a.routes_from;

-- The same, summed up; what has come to nothing is left out.
create view waybill.daily_figures as
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
        sum(f.seconds)::bigint as seconds
    from waybill.figures f
    group by f.date, f.mode, f.carrier, f.service, f.currency, f.days
    having sum(f.shipments) <> 0;

-- Which mode analytics count: production, or test where only test exists.
create or replace function waybill.analytics_mode()
returns text
language sql
stable
parallel safe
as $$
    select case
        when exists (
            select from waybill.figures f
            where f.mode = 'production' and f.shipments > 0)
        or not exists (
            select from waybill.figures f
            where f.mode = 'test' and f.shipments > 0)
        then 'production' else 'test' end
$$;

create view waybill.mv_daily_shipment_analytics as
    select f.date,
        f.carrier,
        f.service,
        sum(f.shipments)::bigint as shipment_count,
        case when count(distinct nullif(f.currency, '')) <= 1
            then case when sum(f.costed) > 0 then sum(f.cost) end
            end as total_cost,
        case when count(distinct nullif(f.currency, '')) <= 1
            then round(sum(f.cost) / nullif(sum(f.costed), 0), 4)
            end as avg_cost,
        case when count(distinct nullif(f.currency, '')) <= 1
            then min(nullif(f.currency, '')) end as currency,
        sum(f.costed)::bigint as cost_sample,
        sum(f.purchased)::bigint as purchased_count,
        sum(f.delivered)::bigint as delivered_count,
        sum(f.in_transit)::bigint as in_transit_count,
        sum(f.failed)::bigint as failed_count,
        sum(f.cancelled)::bigint as cancelled_count,
        round(sum(f.seconds) / 86400.0
            / nullif(sum(f.shipments) filter (where f.days > 0), 0), 3)
            as avg_delivery_days,
        coalesce(sum(f.shipments) filter (where f.days > 0), 0)::bigint
            as delivery_days_sample,
        round(100.0 * sum(f.on_time) / nullif(sum(f.promised), 0), 2)
            as on_time_rate,
        sum(f.promised)::bigint as on_time_sample
    from waybill.daily_figures f
    where f.mode = (select waybill.analytics_mode())
        and f.date >= (now() at time zone 'UTC')::date - 90
    group by f.date, f.carrier, f.service;
comment on view waybill.mv_daily_shipment_analytics is
    'Of the last 90 days (UTC), always current; unique by date, carrier, service';
comment on column waybill.mv_daily_shipment_analytics.carrier is
    'Empty: no rate was bought yet';

create view waybill.mv_carrier_performance as
    select f.carrier,
        f.service,
        sum(f.shipments)::bigint as total_shipments,
        case when count(distinct nullif(f.currency, '')) <= 1
            then case when sum(f.costed) > 0 then sum(f.cost) end
            end as total_revenue,
        case when count(distinct nullif(f.currency, '')) <= 1
            then case when sum(f.costed) > 0 then sum(f.cost) end
            end as total_cost,
        case when count(distinct nullif(f.currency, '')) <= 1
            then round(sum(f.cost) / nullif(sum(f.costed), 0), 4)
            end as avg_cost,
        case when count(distinct nullif(f.currency, '')) <= 1
            then min(nullif(f.currency, '')) end as currency,
        sum(f.costed)::bigint as cost_sample,
        sum(f.delivered)::bigint as delivered_count,
        (sum(f.delivered) + sum(f.failed))::bigint as completed_count,
        sum(f.failed)::bigint as failed_count,
        round(100.0 * sum(f.on_time) / nullif(sum(f.promised), 0), 2)
            as on_time_rate,
        sum(f.promised)::bigint as on_time_sample,
        round(sum(f.seconds) / 86400.0
            / nullif(sum(f.shipments) filter (where f.days > 0), 0), 3)
            as avg_delivery_days,
        coalesce(sum(f.shipments) filter (where f.days > 0), 0)::bigint
            as delivery_days_sample
    from waybill.daily_figures f
    where f.mode = (select waybill.analytics_mode())
        and f.date >= (now() at time zone 'UTC')::date - 90
        and f.carrier <> ''
    group by f.carrier, f.service;
comment on view waybill.mv_carrier_performance is
    'Of the last 90 days (UTC), always current; unique by carrier, service';
comment on column waybill.mv_carrier_performance.total_revenue is
    'The original''s name for what was spent; the same as total_cost';
comment on column waybill.mv_carrier_performance.completed_count is
    'Delivered, failed or returned: their journey has ended';

create view waybill.mv_top_routes as
    select f.from_city,
        f.from_state,
        f.from_country,
        f.to_city,
        f.to_state,
        f.to_country,
        sum(f.shipments)::bigint as shipment_count,
        case when count(distinct nullif(f.currency, '')) <= 1
            then case when sum(f.costed) > 0 then sum(f.cost) end
            end as total_cost,
        case when count(distinct nullif(f.currency, '')) <= 1
            then round(sum(f.cost) / nullif(sum(f.costed), 0), 4)
            end as avg_cost,
        case when count(distinct nullif(f.currency, '')) <= 1
            then min(nullif(f.currency, '')) end as currency,
        sum(f.costed)::bigint as cost_sample,
        round(sum(f.seconds) / 86400.0 / nullif(sum(f.delivered), 0), 3)
            as avg_delivery_days,
        sum(f.delivered)::bigint as delivery_days_sample
    from (
        select f.from_city, f.from_state, f.from_country, f.to_city,
            f.to_state, f.to_country, f.currency,
            sum(f.shipments) as shipments, sum(f.cost) as cost,
            sum(f.costed) as costed, sum(f.delivered) as delivered,
            sum(f.seconds) as seconds
        from waybill.route_figures f
        where f.mode = (select waybill.analytics_mode())
        group by f.from_city, f.from_state, f.from_country, f.to_city,
            f.to_state, f.to_country, f.currency
        having sum(f.shipments) > 0) f
    group by f.from_city, f.from_state, f.from_country, f.to_city,
        f.to_state, f.to_country
    having sum(f.shipments) >= 3;
comment on view waybill.mv_top_routes is
    'Of the last 90 days (UTC), always current, from three shipments on; unique
by its six places, which are empty when nobody told them';

-- The same id for the same key, whenever it is read.
create function waybill.key_id(variadic p_key text[])
returns uuid
language sql
immutable
parallel safe
as $$
    select md5(array_to_string(p_key, E'\x1f'))::uuid
$$;

create view waybill.carrier_performance as
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
            / nullif(sum(f.shipments) filter (where f.days > 0), 0), 3)
            as average_delivery_days,
        min(nullif(f.days, 0)) as min_delivery_days,
        max(nullif(f.days, 0)) as max_delivery_days,
        round(100.0 * sum(f.on_time) / nullif(sum(f.promised), 0), 2)
            as on_time_rate,
        round(100.0 * sum(f.delivered)
            / nullif(sum(f.delivered + f.failed), 0), 2) as reliability_score
    from waybill.daily_figures f
    where f.carrier <> ''
    group by f.date, f.mode, f.carrier, f.service, f.currency;
comment on view waybill.carrier_performance is
    'Of each day of creation (UTC), mode and currency; always current';
comment on column waybill.carrier_performance.reliability_score is
    'Delivered shipments in percent of those whose journey has ended';
comment on column waybill.carrier_performance.min_delivery_days is
    'In begun days, as max_delivery_days';

create view waybill.analytics_summaries as
    with periods as (
        select f.mode, f.currency, f.carrier, f.service, p.period,
            case p.period when 'daily' then f.date
                when 'weekly' then date_trunc('week', f.date)::date
                else date_trunc('month', f.date)::date end as date,
            f.shipments, f.delivered, f.failed, f.on_time, f.promised, f.cost,
            f.costed, f.seconds,
            case when f.days > 0 then f.shipments else 0 end as timed
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
        s.breakdown as service_breakdown
    from (
        select p.mode, p.currency, p.period, p.date,
            sum(p.shipments)::bigint as shipments,
            sum(p.delivered)::bigint as delivered,
            sum(p.failed)::bigint as failed, sum(p.cost) as cost,
            sum(p.costed)::bigint as costed, sum(p.seconds) as seconds,
            sum(p.timed)::bigint as timed, sum(p.on_time) as on_time,
            sum(p.promised)::bigint as promised
        from periods p
        group by p.mode, p.currency, p.period, p.date) p
    left join carriers c using (mode, currency, period, date)
    left join services s using (mode, currency, period, date)
    left join countries t using (mode, currency, period, date);
comment on view waybill.analytics_summaries is
    'Of each day, week (from Monday) and month of creation (UTC), mode and
currency; always current.  Currency is empty of what cost nothing yet';

create view waybill.shipment_metrics as
    select s.id,
        s.id as shipment_id,
        s.created_at,
        round(extract(epoch from s.purchased_at - s.created_at), 3)
            as creation_to_purchase_time,
        null::numeric as purchase_to_label_time,
        round(extract(epoch from s.purchased_at - s.created_at), 3)
            as total_processing_time,
        s.base_cost as base_rate,
        null::numeric as fuel_surcharge,
        f.insurance_cost,
        f.tracking_cost,
        f.other_fees,
        s.total_cost,
        s.currency,
        s.delivery_days::numeric as estimated_delivery_days,
        d.days as actual_delivery_days,
        ((s.delivered_at at time zone 'UTC')::date
            - (s.promised_at at time zone 'UTC')::date)::numeric
            as delivery_delay_days,
        waybill.is_on_time(s.delivered_at, s.promised_at) as was_on_time,
        e.updates as tracking_updates_count,
        e.exceptions as exception_events_count,
        case when s.delivered_at is not null then greatest(e.attempts, 1)
            when e.attempts > 0 then e.attempts end as delivery_attempts,
        s.from_address ->> 'country' as origin_country,
        s.to_address ->> 'country' as destination_country,
        null::numeric as distance_km,
        s.carrier,
        s.service,
        s.parcel ->> 'predefined_package' as package_type,
        round(s.weight * 0.028349523125, 3) as weight_kg
    from waybill.shipments s
    cross join lateral (
        select case when s.delivered_at >= s.purchased_at then round(
            extract(epoch from s.delivered_at - s.purchased_at) / 86400, 3)
            end as days) d
    cross join lateral (
        select sum(e.amount) filter (where e.type = 'InsuranceFee')
                as insurance_cost,
            sum(e.amount) filter (where e.type = 'TrackerFee')
                as tracking_cost,
            sum(e.amount) filter (where e.type not in ('PostageFee',
                'InsuranceFee', 'TrackerFee')) as other_fees
        from jsonb_to_recordset(s.fees) as e (type text, amount numeric,
            refunded boolean)
        where e.refunded is not true) f
    cross join lateral (
        select count(*)::integer as updates,
            count(*) filter (where e.status in ('failure', 'error',
                'return_to_sender'))::integer as exceptions,
            count(*) filter (where e.status = 'out_for_delivery')::integer
                as attempts
        from waybill.shipment_events e
        where e.shipment_id = s.id) e
    where s.deleted_at is null;
comment on view waybill.shipment_metrics is
    'One row a shipment, always current; times in seconds';
comment on column waybill.shipment_metrics.purchase_to_label_time is
    'Null: EasyPost makes the label with the purchase';
comment on column waybill.shipment_metrics.fuel_surcharge is
    'Null: EasyPost does not tell it apart from the rate';
comment on column waybill.shipment_metrics.distance_km is
    'Null: there are no coordinates to measure from';
comment on column waybill.shipment_metrics.delivery_attempts is
    'How often it went out for delivery, as far as its carrier tells';
comment on column waybill.shipment_metrics.weight_kg is
    'EasyPost''s ounces: one has 0.028349523125 kg';

revoke all on function
    waybill.shipment_figures(waybill.shipments),
    waybill.note_new_figures(),
    waybill.note_old_figures(),
    waybill.note_changed_figures(),
    waybill.key_id(text[])
from public;
grant execute on function waybill.key_id(text[]) to waybill_reader;
grant select on waybill.shipment_days, waybill.shipment_deltas,
    waybill.country_days, waybill.recent_routes, waybill.analytics_state,
    waybill.figures, waybill.country_figures, waybill.route_figures,
    waybill.daily_figures, waybill.analytics_summaries,
    waybill.carrier_performance, waybill.shipment_metrics,
    waybill.mv_daily_shipment_analytics, waybill.mv_carrier_performance,
    waybill.mv_top_routes
to waybill_reader;

-- --- what is there already ---------------------------------------------------

lock table waybill.shipments in share mode;
insert into waybill.shipment_days
select f.date, f.mode, f.carrier, f.service, f.currency, f.days,
    sum(f.shipments), sum(f.purchased), sum(f.delivered), sum(f.in_transit),
    sum(f.failed), sum(f.cancelled), sum(f.on_time), sum(f.promised),
    sum(f.cost), sum(f.costed), sum(f.seconds)
from waybill.shipments s
cross join lateral waybill.shipment_figures(s) f
group by 1, 2, 3, 4, 5, 6;
insert into waybill.country_days
select f.date, f.mode, f.from_country, f.to_country, f.currency,
    sum(f.shipments), sum(f.cost), sum(f.costed)
from waybill.shipments s
cross join lateral waybill.shipment_figures(s) f
group by 1, 2, 3, 4, 5;
insert into waybill.recent_routes
select f.mode, f.from_city, f.from_state, f.from_country, f.to_city,
    f.to_state, f.to_country, f.currency, sum(f.shipments), sum(f.cost),
    sum(f.costed), sum(sign(f.days) * f.shipments), sum(f.seconds)
from waybill.analytics_state a
join waybill.shipments s
    on s.created_at >= a.routes_from::timestamp at time zone 'UTC'
    and s.mode = a.mode
cross join lateral waybill.shipment_figures(s) f
group by 1, 2, 3, 4, 5, 6, 7, 8;
update waybill.analytics_state a
set changed_at = (
    select max(s.recorded_at)
    from waybill.shipments s
    where s.mode = a.mode);
