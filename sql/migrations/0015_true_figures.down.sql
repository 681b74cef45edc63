-- Whoever merges waits, before he holds anything that is changed here.
select pg_advisory_xact_lock(hashtextextended('waybill.merge', 0));

drop view waybill.shipment_metrics;
drop function waybill.is_on_time(timestamptz, timestamptz, boolean, text, text);
-- On time is: delivered on the promised day or before.  Null while it is not
-- delivered or when nothing was promised.
create function waybill.is_on_time(
    p_delivered_at timestamptz, p_promised_at timestamptz)
returns boolean
language sql
immutable
as $$
    select case when p_delivered_at is not null and p_promised_at is not null
        then (p_delivered_at at time zone 'UTC')::date
            <= (p_promised_at at time zone 'UTC')::date end
$$;

create or replace function waybill.shipment_figures(p waybill.shipments)
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

drop function waybill.days_after(timestamptz, timestamptz, boolean, text),
    waybill.zones_of(text, text), waybill.time_zones();

-- --- what is there already ---------------------------------------------------

lock table waybill.shipments in share mode;
delete from waybill.shipment_deltas;
delete from waybill.shipment_days;
delete from waybill.country_days;
delete from waybill.recent_routes;
update waybill.analytics_state
set routes_from = (now() at time zone 'UTC')::date - 90;
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

delete from waybill.dashboards;
alter table waybill.dashboards rename column since to date;
alter table waybill.dashboards
    alter column date type date using (date at time zone 'UTC')::date;

create or replace view waybill.mv_daily_shipment_analytics as
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
create or replace view waybill.mv_carrier_performance as
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
create or replace view waybill.mv_top_routes as
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
comment on column waybill.system_metrics.active_connections is null;
comment on column waybill.system_metrics.db_pool_size is null;
comment on column waybill.system_metrics.db_query_count is null;
comment on column waybill.system_metrics.db_slow_queries is null;
comment on column waybill.mv_daily_shipment_analytics.currency is null;
comment on column waybill.mv_carrier_performance.currency is null;
comment on column waybill.mv_top_routes.currency is null;

revoke all on function waybill.is_on_time(timestamptz, timestamptz) from public;
grant execute on function waybill.is_on_time(timestamptz, timestamptz)
to waybill_reader;
grant select on waybill.shipment_metrics to waybill_reader;
