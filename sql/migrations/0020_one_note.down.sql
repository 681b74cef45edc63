-- Whoever merges waits, before he holds anything that is changed here.
select pg_advisory_xact_lock(hashtextextended('waybill.merge', 0));
lock table waybill.shipments in share mode;

drop view waybill.mv_daily_shipment_analytics, waybill.mv_carrier_performance,
    waybill.mv_top_routes, waybill.carrier_performance,
    waybill.analytics_summaries, waybill.daily_figures, waybill.figures,
    waybill.route_figures;
drop function waybill.days_percentile(numeric, integer[], bigint[]);
drop trigger shipments_no_figures on waybill.shipments;
drop function waybill.forget_figures();
drop function waybill.shipment_figures(waybill.shipments);
drop function waybill.changed_figures;
drop function waybill.note_move(waybill.figure_facts, waybill.figure_facts);
drop function waybill.figures_of(waybill.figure_facts);
create or replace function waybill.standing(p_status text)
returns text
language sql
immutable
parallel safe
as $$
    select case when p_status in ('pre_transit', 'in_transit',
            'out_for_delivery', 'available_for_pickup') then 'in_transit'
        when p_status in ('failure', 'error', 'return_to_sender')
            then 'failed'
        when p_status in ('cancelled', 'canceled') then 'cancelled'
        else p_status end
$$;
drop function waybill.under_way(text);
drop function waybill.failed(text);
drop function waybill.cancelled(text);
drop function waybill.days_under_way(text, timestamptz, timestamptz);
drop function waybill.seconds_under_way(text, timestamptz, timestamptz);
drop type waybill.figure_facts;
alter table waybill.shipment_deltas drop column timed;
alter table waybill.shipment_days drop column timed;
alter type waybill.fresh_day drop attribute timed;
alter table waybill.analytics_state drop column shipments;

create function waybill.figures_of(p_created_at timestamptz, p_mode text,
    p_carrier text, p_service text, p_cost numeric, p_currency text,
    p_status text, p_purchased_at timestamptz, p_delivered_at timestamptz,
    p_is_on_time boolean, p_from_city text, p_from_state text,
    p_from_country text, p_to_city text, p_to_state text, p_to_country text,
    p_deleted_at timestamptz)
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
    select (p_created_at at time zone 'UTC')::date,
        p_mode,
        coalesce(p_carrier, ''),
        coalesce(p_service, ''),
        case when p_cost is null then '' else coalesce(p_currency, '') end,
        case when p_status = 'delivered' and p_delivered_at >= p_purchased_at
            then greatest(1, ceil(date_part('epoch', p_delivered_at
                - p_purchased_at) / 86400)) else 0 end::integer,
        p_from_city,
        p_from_state,
        p_from_country,
        p_to_city,
        p_to_state,
        p_to_country,
        1,
        (p_purchased_at is not null)::integer,
        (p_status = 'delivered')::integer,
        (p_status in ('pre_transit', 'in_transit', 'out_for_delivery',
            'available_for_pickup'))::integer,
        (p_status in ('failure', 'error', 'return_to_sender'))::integer,
        (p_status in ('cancelled', 'canceled'))::integer,
        case when p_status = 'delivered' and p_is_on_time then 1 else 0 end,
        case when p_status = 'delivered' and p_is_on_time is not null
            then 1 else 0 end,
        coalesce(p_cost, 0),
        (p_cost is not null)::integer,
        case when p_status = 'delivered' and p_delivered_at >= p_purchased_at
            then date_part('epoch', p_delivered_at - p_purchased_at)
            else 0 end::bigint
    where p_deleted_at is null
$$;

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
    select f.*
    from waybill.figures_of(p.created_at, p.mode, p.carrier, p.service,
        p.total_cost, p.currency, p.status, p.purchased_at, p.delivered_at,
        waybill.is_on_time(p.delivered_at, p.promised_at,
            p.delivery_date is not null, p.to_country, p.to_state),
        p.from_city, p.from_state, p.from_country, p.to_city, p.to_state,
        p.to_country, p.deleted_at) f
$$;

create or replace function waybill.note_new_figures()
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

create or replace function waybill.note_old_figures()
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
            old.service, old.delivery_date is null, old.created_at, old.mode,
            old.deleted_at, old.from_city, old.from_state, old.from_country,
            old.to_city, old.to_state, old.to_country)
        is not distinct from
        row(waybill.standing(new.status), new.delivered_at, new.promised_at,
            new.purchased_at, new.total_cost, new.currency, new.carrier,
            new.service, new.delivery_date is null, new.created_at, new.mode,
            new.deleted_at, new.from_city, new.from_state, new.from_country,
            new.to_city, new.to_state, new.to_country)
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
    insert into waybill.shipment_deltas
    select f.date, f.mode, f.carrier, f.service, f.currency, f.days,
        f.from_city, f.from_state, f.from_country, f.to_city, f.to_state,
        f.to_country, -f.shipments, -f.purchased, -f.delivered, -f.in_transit,
        -f.failed, -f.cancelled, -f.on_time, -f.promised, -f.cost, -f.costed,
        -f.seconds
    from waybill.figures_of(old.created_at, old.mode, old.carrier, old.service,
        old.total_cost, old.currency, old.status, old.purchased_at,
        old.delivered_at, v_was_on_time, old.from_city, old.from_state,
        old.from_country, old.to_city, old.to_state, old.to_country,
        old.deleted_at) f
    union all
    select f.*
    from waybill.figures_of(new.created_at, new.mode, new.carrier, new.service,
        new.total_cost, new.currency, new.status, new.purchased_at,
        new.delivered_at, v_is_on_time, new.from_city, new.from_state,
        new.from_country, new.to_city, new.to_state, new.to_country,
        new.deleted_at) f;
    return null;
end
$$;

-- Notes of one kind cannot be told as the other: the sums are made anew.
delete from waybill.shipment_deltas;
delete from waybill.shipment_days;
delete from waybill.country_days;
delete from waybill.recent_routes;
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
            / nullif(sum(f.shipments) filter (where f.days > 0), 0), 3)
            as avg_delivery_days,
        coalesce(sum(f.shipments) filter (where f.days > 0), 0)::bigint
            as delivery_days_sample,
        round(100.0 * sum(f.on_time) / nullif(sum(f.promised), 0), 2)
            as on_time_rate,
        sum(f.promised)::bigint as on_time_sample
    from waybill.daily_figures f
    where f.mode = (select waybill.analytics_mode())
        and f.date >= (now() at time zone 'UTC')::date - 89
    group by f.date, f.carrier, f.service;
comment on view waybill.mv_daily_shipment_analytics is
    'Of the last 90 days (UTC), always current; unique by date, carrier, service';
comment on column waybill.mv_daily_shipment_analytics.carrier is
    'Empty: no rate was bought yet';
create view waybill.mv_carrier_performance as
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
            / nullif(sum(f.shipments) filter (where f.days > 0), 0), 3)
            as avg_delivery_days,
        coalesce(sum(f.shipments) filter (where f.days > 0), 0)::bigint
            as delivery_days_sample
    from waybill.daily_figures f
    where f.mode = (select waybill.analytics_mode())
        and f.date >= (now() at time zone 'UTC')::date - 89
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
comment on column waybill.mv_daily_shipment_analytics.currency is
    'Null: no cost, costs in several (then these are null, too; carrier_performance
has them apart), or EasyPost did not say';
comment on column waybill.mv_carrier_performance.currency is
    'Null: no cost, costs in several (then these are null, too; carrier_performance
has them apart), or EasyPost did not say';
comment on column waybill.mv_top_routes.currency is
    'Null: no cost, costs in several (then these are null, too), or EasyPost did
not say';
grant select on waybill.figures, waybill.route_figures, waybill.daily_figures,
    waybill.mv_daily_shipment_analytics, waybill.mv_carrier_performance,
    waybill.mv_top_routes, waybill.carrier_performance,
    waybill.analytics_summaries
to waybill_reader;

revoke all on function
    waybill.shipment_figures(waybill.shipments),
    waybill.figures_of(timestamptz, text, text, text, numeric, text, text,
        timestamptz, timestamptz, boolean, text, text, text, text, text, text,
        timestamptz)
from public;
