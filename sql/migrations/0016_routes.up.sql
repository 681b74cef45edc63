-- Where a shipment goes from and to, as columns: what figures are made of is then read
-- without a look into two documents, by whoever writes, merges or compares.

-- Whoever merges waits, before he holds anything that is changed here.
select pg_advisory_xact_lock(hashtextextended('waybill.merge', 0));

alter table waybill.shipments
    add column from_city text not null
        generated always as (coalesce(from_address ->> 'city', '')) stored,
    add column from_state text not null
        generated always as (coalesce(from_address ->> 'state', '')) stored,
    add column from_country text not null
        generated always as (coalesce(from_address ->> 'country', '')) stored,
    add column to_city text not null
        generated always as (coalesce(to_address ->> 'city', '')) stored,
    add column to_state text not null
        generated always as (coalesce(to_address ->> 'state', '')) stored,
    add column to_country text not null
        generated always as (coalesce(to_address ->> 'country', '')) stored;
comment on column waybill.shipments.from_city is
    'Of from_address; empty when that does not say, as the other five';

-- Of one group of shipments, what all sums by day are made of.
create type waybill.fresh_day as (date date, mode text, carrier text,
    service text, currency text, days integer, from_country text,
    to_country text, shipments bigint, purchased bigint, delivered bigint,
    in_transit bigint, failed bigint, cancelled bigint, on_time bigint,
    promised bigint, cost numeric, costed bigint, seconds bigint);

-- What a shipment adds to the figures: no row when it was deleted.  Text is
-- never null, so that it can be a key.  Delivered, failed and the like go by the
-- status; days (begun ones from the purchase to the delivery) are 0, and the
-- promise is not counted, where a delivered one lacks the moments for it.
-- No query inside computes what is needed twice: the whole row would be made a value
-- for it, with all of its documents.
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
        case when p.status = 'delivered' and p.delivered_at >= p.purchased_at
            then greatest(1, ceil(date_part('epoch', p.delivered_at
                - p.purchased_at) / 86400)) else 0 end::integer,
        p.from_city,
        p.from_state,
        p.from_country,
        p.to_city,
        p.to_state,
        p.to_country,
        1,
        (p.purchased_at is not null)::integer,
        (p.status = 'delivered')::integer,
        (p.status in ('pre_transit', 'in_transit', 'out_for_delivery',
            'available_for_pickup'))::integer,
        (p.status in ('failure', 'error', 'return_to_sender'))::integer,
        (p.status in ('cancelled', 'canceled'))::integer,
        case when p.status = 'delivered' and waybill.is_on_time(
            p.delivered_at, p.promised_at, p.delivery_date is not null,
            p.to_country, p.to_state) then 1 else 0 end,
        case when p.status = 'delivered' and waybill.is_on_time(
            p.delivered_at, p.promised_at, p.delivery_date is not null,
            p.to_country, p.to_state) is not null then 1 else 0 end,
        coalesce(p.total_cost, 0),
        (p.total_cost is not null)::integer,
        case when p.status = 'delivered' and p.delivered_at >= p.purchased_at
            then date_part('epoch', p.delivered_at - p.purchased_at)
            else 0 end::bigint
    where p.deleted_at is null
$$;
