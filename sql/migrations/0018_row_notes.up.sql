-- What an update changes in the figures is noted row by row: a statement of one row
-- was sorted and summed before, and an update that figures do not feel was, too.

-- Whoever merges waits, before he holds anything that is changed here.
select pg_advisory_xact_lock(hashtextextended('waybill.merge', 0));

-- What a shipment adds to the figures: no row when it was deleted.  Text is
-- never null, so that it can be a key.  Delivered, failed and the like go by the
-- status; days (begun ones from the purchase to the delivery) are 0, and the
-- promise is not counted, where a delivered one lacks the moments for it.
-- Of single columns, because a row as a value would be made whole first, with all of
-- its documents; and for the same reason no query inside computes once what is needed
-- twice.
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
    select f.*
    from waybill.figures_of(p.created_at, p.mode, p.carrier, p.service,
        p.total_cost, p.currency, p.status, p.purchased_at, p.delivered_at,
        waybill.is_on_time(p.delivered_at, p.promised_at,
            p.delivery_date is not null, p.to_country, p.to_state),
        p.from_city, p.from_state, p.from_country, p.to_city, p.to_state,
        p.to_country, p.deleted_at) f
$$;

-- Statuses that figures_of (and late_count) take as one are one.
create function waybill.standing(p_status text)
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

drop trigger shipments_changed_figures on waybill.shipments;

-- The figures of before leave, those of now come.  Where it is the same by the sums, and
-- only what is late has changed, which no sum has (late_count), the two say that what
-- was ready is so no longer.  Most updates change none: that is seen here and not by the
-- trigger's own condition, which PostgreSQL would read anew for each statement.
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

create trigger shipments_changed_figures
    after update on waybill.shipments
    for each row execute function waybill.note_changed_figures();

revoke all on function
    waybill.figures_of(timestamptz, text, text, text, numeric, text, text,
        timestamptz, timestamptz, boolean, text, text, text, text, text, text,
        timestamptz),
    waybill.standing(text)
from public;
