-- Whoever merges waits, before he holds anything that is changed here.
select pg_advisory_xact_lock(hashtextextended('waybill.merge', 0));

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
        case when o.seconds is null then 0
            else greatest(1, ceil(o.seconds / 86400)) end::integer,
        coalesce(p.from_address ->> 'city', ''),
        coalesce(p.from_address ->> 'state', ''),
        coalesce(p.from_address ->> 'country', ''),
        coalesce(p.to_address ->> 'city', ''),
        coalesce(p.to_address ->> 'state', ''),
        coalesce(p.to_address ->> 'country', ''),
        1,
        (p.purchased_at is not null)::integer,
        (p.status = 'delivered')::integer,
        (p.status in ('pre_transit', 'in_transit', 'out_for_delivery',
            'available_for_pickup'))::integer,
        (p.status in ('failure', 'error', 'return_to_sender'))::integer,
        (p.status in ('cancelled', 'canceled'))::integer,
        coalesce(o.is_on_time, false)::integer,
        (o.is_on_time is not null)::integer,
        coalesce(p.total_cost, 0),
        (p.total_cost is not null)::integer,
        coalesce(o.seconds, 0)::bigint
    from (
        select case when p.status = 'delivered'
                and p.delivered_at >= p.purchased_at
                then date_part('epoch', p.delivered_at - p.purchased_at)
                end as seconds,
            case when p.status = 'delivered' and p.delivered_at is not null
                and p.promised_at is not null
                then waybill.is_on_time(p.delivered_at, p.promised_at,
                    p.delivery_date is not null,
                    p.to_address ->> 'country', p.to_address ->> 'state')
                end as is_on_time
        offset 0) o -- each is computed once
    where p.deleted_at is null
$$;

drop type waybill.fresh_day;

alter table waybill.shipments
    drop column from_city,
    drop column from_state,
    drop column from_country,
    drop column to_city,
    drop column to_state,
    drop column to_country;
