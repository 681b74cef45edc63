drop view waybill.mv_daily_shipment_analytics, waybill.mv_carrier_performance,
    waybill.mv_top_routes, waybill.carrier_performance,
    waybill.analytics_summaries, waybill.shipment_metrics;
-- Which mode analytics count: production, or test where only test exists.
create or replace function waybill.analytics_mode()
returns text
language sql
stable
as $$
    select case
        when exists (
            select from waybill.shipments s
            where s.mode = 'production' and s.deleted_at is null)
        or not exists (select from waybill.shipments s where s.mode = 'test')
        then 'production' else 'test' end
$$;
drop view waybill.daily_figures, waybill.figures, waybill.country_figures,
    waybill.route_figures;
drop trigger shipments_new_figures on waybill.shipments;
drop trigger shipments_changed_figures on waybill.shipments;
drop trigger shipments_old_figures on waybill.shipments;
drop function waybill.note_new_figures(), waybill.note_changed_figures(),
    waybill.note_old_figures(), waybill.key_id(text[]),
    waybill.shipment_figures(waybill.shipments);
drop table waybill.shipment_deltas, waybill.shipment_days,
    waybill.country_days, waybill.recent_routes, waybill.analytics_state,
    waybill.dashboards;
drop index waybill.ix_shipments_promised;
alter table waybill.shipments drop column fees;
comment on column waybill.shipments.total_cost is
    'Sum of the fees that were not refunded; the selected rate when none are told';
alter table waybill.refresh_history drop column drift;

create table waybill.analytics_summaries (
    id uuid primary key default waybill.uuid_generate_v7(),
    date date not null,
    period text not null
        constraint analytics_summaries_period_check
        check (period in ('daily', 'weekly', 'monthly')),
    created_at timestamptz not null default now(),
    mode text not null default 'production'
        constraint analytics_summaries_mode_check
        check (mode in ('test', 'production')),
    total_shipments bigint not null default 0,
    successful_shipments bigint not null default 0,
    failed_shipments bigint not null default 0,
    total_cost numeric,
    average_cost_per_shipment numeric,
    currency text not null default '',
    average_delivery_days numeric,
    on_time_delivery_rate numeric
        constraint analytics_summaries_rate_check
        check (on_time_delivery_rate between 0 and 100),
    on_time_sample bigint not null default 0,
    carrier_stats jsonb,
    top_destinations jsonb,
    domestic_vs_international jsonb,
    service_breakdown jsonb,
    constraint analytics_summaries_date_key
        unique (date, period, mode, currency)
);

create table waybill.carrier_performance (
    id uuid primary key default waybill.uuid_generate_v7(),
    carrier text not null,
    service text not null,
    date date not null,
    created_at timestamptz not null default now(),
    mode text not null default 'production'
        constraint carrier_performance_mode_check
        check (mode in ('test', 'production')),
    total_shipments bigint not null default 0,
    on_time_deliveries bigint not null default 0,
    delayed_deliveries bigint not null default 0,
    failed_deliveries bigint not null default 0,
    total_cost numeric,
    average_cost numeric,
    currency text not null default '',
    average_delivery_days numeric,
    min_delivery_days numeric,
    max_delivery_days numeric,
    on_time_rate numeric
        constraint carrier_performance_rate_check
        check (on_time_rate between 0 and 100),
    reliability_score numeric
        constraint carrier_performance_score_check
        check (reliability_score between 0 and 100),
    constraint carrier_performance_date_key
        unique (date, carrier, service, mode, currency)
);
comment on column waybill.carrier_performance.reliability_score is
    'Delivered shipments in percent of those whose journey has ended';

create table waybill.shipment_metrics (
    id uuid primary key default waybill.uuid_generate_v7(),
    shipment_id uuid not null
        constraint shipment_metrics_shipment_id_key unique
        constraint shipment_metrics_shipment_fkey
        references waybill.shipments on delete cascade,
    created_at timestamptz not null default now(),
    creation_to_purchase_time numeric,
    purchase_to_label_time numeric,
    total_processing_time numeric,
    base_rate numeric,
    fuel_surcharge numeric,
    insurance_cost numeric,
    tracking_cost numeric,
    other_fees numeric,
    total_cost numeric,
    currency text,
    estimated_delivery_days numeric,
    actual_delivery_days numeric,
    delivery_delay_days numeric,
    was_on_time boolean,
    tracking_updates_count integer not null default 0,
    exception_events_count integer not null default 0,
    delivery_attempts integer,
    origin_country text,
    destination_country text,
    distance_km numeric,
    carrier text,
    service text,
    package_type text,
    weight_kg numeric
);
comment on column waybill.shipment_metrics.distance_km is
    'Null: there are no coordinates to measure from';
comment on column waybill.shipment_metrics.creation_to_purchase_time is
    'Seconds, as the other _time columns';

-- What the views count, one row a shipment of the last 90 days.
create view waybill.recent_shipments as
    select s.id,
        (s.created_at at time zone 'UTC')::date as date,
        coalesce(s.carrier, '') as carrier,
        coalesce(s.service, '') as service,
        s.status,
        s.total_cost,
        case when s.total_cost is not null then s.currency end as currency,
        s.purchased_at is not null as is_purchased,
        s.delivered_at is not null as is_delivered,
        s.status in ('failure', 'error', 'return_to_sender') as is_failed,
        s.status in ('pre_transit', 'in_transit', 'out_for_delivery',
            'available_for_pickup') as is_in_transit,
        case when s.delivered_at >= s.purchased_at
            then date_part('epoch', s.delivered_at - s.purchased_at)::numeric
                / 86400 end as delivery_days,
        waybill.is_on_time(s.delivered_at, s.promised_at) as is_on_time,
        s.from_address_id,
        s.to_address_id
    from waybill.shipments s
    where s.deleted_at is null
        and s.mode = waybill.analytics_mode()
        and s.created_at >= (date_trunc('day', now() at time zone 'UTC')
            - interval '90 days') at time zone 'UTC';

create materialized view waybill.mv_daily_shipment_analytics as
    select r.date,
        r.carrier,
        r.service,
        count(*) as shipment_count,
        case when count(distinct r.currency) <= 1
            then sum(r.total_cost) end as total_cost,
        case when count(distinct r.currency) <= 1
            then round(avg(r.total_cost), 4) end as avg_cost,
        case when count(distinct r.currency) <= 1
            then min(r.currency) end as currency,
        count(r.total_cost) as cost_sample,
        count(*) filter (where r.is_purchased) as purchased_count,
        count(*) filter (where r.is_delivered) as delivered_count,
        count(*) filter (where r.is_in_transit) as in_transit_count,
        count(*) filter (where r.is_failed) as failed_count,
        count(*) filter (where r.status = 'cancelled') as cancelled_count,
        round(avg(r.delivery_days), 3) as avg_delivery_days,
        count(r.delivery_days) as delivery_days_sample,
        round(100.0 * count(*) filter (where r.is_on_time)
            / nullif(count(r.is_on_time), 0), 2) as on_time_rate,
        count(r.is_on_time) as on_time_sample
    from waybill.recent_shipments r
    group by r.date, r.carrier, r.service;
comment on column waybill.mv_daily_shipment_analytics.carrier is
    'Empty: no rate was bought yet';
create unique index ix_mv_daily_shipment_analytics_key
    on waybill.mv_daily_shipment_analytics (date, carrier, service);
create index ix_mv_daily_shipment_analytics_date
    on waybill.mv_daily_shipment_analytics (date desc);

create materialized view waybill.mv_carrier_performance as
    select r.carrier,
        r.service,
        count(*) as total_shipments,
        case when count(distinct r.currency) <= 1
            then sum(r.total_cost) end as total_revenue,
        case when count(distinct r.currency) <= 1
            then sum(r.total_cost) end as total_cost,
        case when count(distinct r.currency) <= 1
            then round(avg(r.total_cost), 4) end as avg_cost,
        case when count(distinct r.currency) <= 1
            then min(r.currency) end as currency,
        count(r.total_cost) as cost_sample,
        count(*) filter (where r.is_delivered) as delivered_count,
        count(*) filter (where r.is_delivered or r.is_failed)
            as completed_count,
        count(*) filter (where r.is_failed) as failed_count,
        round(100.0 * count(*) filter (where r.is_on_time)
            / nullif(count(r.is_on_time), 0), 2) as on_time_rate,
        count(r.is_on_time) as on_time_sample,
        round(avg(r.delivery_days), 3) as avg_delivery_days,
        count(r.delivery_days) as delivery_days_sample
    from waybill.recent_shipments r
    where r.carrier <> ''
    group by r.carrier, r.service;
comment on column waybill.mv_carrier_performance.total_revenue is
    'The original''s name for what was spent; the same as total_cost';
create unique index ix_mv_carrier_performance_key
    on waybill.mv_carrier_performance (carrier, service);

create materialized view waybill.mv_top_routes as
    select coalesce(f.city, '') as from_city,
        coalesce(f.state, '') as from_state,
        coalesce(f.country, '') as from_country,
        coalesce(t.city, '') as to_city,
        coalesce(t.state, '') as to_state,
        coalesce(t.country, '') as to_country,
        count(*) as shipment_count,
        case when count(distinct r.currency) <= 1
            then sum(r.total_cost) end as total_cost,
        case when count(distinct r.currency) <= 1
            then round(avg(r.total_cost), 4) end as avg_cost,
        case when count(distinct r.currency) <= 1
            then min(r.currency) end as currency,
        count(r.total_cost) as cost_sample,
        round(avg(r.delivery_days), 3) as avg_delivery_days,
        count(r.delivery_days) as delivery_days_sample
    from waybill.recent_shipments r
    join waybill.addresses f on f.id = r.from_address_id
    join waybill.addresses t on t.id = r.to_address_id
    group by 1, 2, 3, 4, 5, 6
    having count(*) >= 3;
create unique index ix_mv_top_routes_key
    on waybill.mv_top_routes (from_city, from_state, from_country,
        to_city, to_state, to_country);
create index ix_mv_top_routes_count
    on waybill.mv_top_routes (shipment_count desc);

grant select on waybill.analytics_summaries, waybill.carrier_performance,
    waybill.shipment_metrics, waybill.recent_shipments,
    waybill.mv_daily_shipment_analytics, waybill.mv_carrier_performance,
    waybill.mv_top_routes
to waybill_reader;
