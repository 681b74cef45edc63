-- Whoever merges waits, before he holds anything that is changed here.
select pg_advisory_xact_lock(hashtextextended('waybill.merge', 0));

drop trigger shipments_changed_figures on waybill.shipments;

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

create or replace function waybill.note_changed_figures()
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

create trigger shipments_changed_figures
    after update on waybill.shipments
    referencing old table as old_shipments new table as new_shipments
    for each statement execute function waybill.note_changed_figures();

drop function waybill.standing(text);
drop function waybill.figures_of(timestamptz, text, text, text, numeric, text,
    text, timestamptz, timestamptz, boolean, text, text, text, text, text, text,
    timestamptz);
