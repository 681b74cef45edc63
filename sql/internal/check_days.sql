-- Compares the sums of these days with what the shipments say, in one snapshot,
-- and repairs them: what is added holds whatever is merged meanwhile.  Gives how
-- many sums were not right.
create or replace function waybill.check_days(p_first date, p_last date)
returns bigint
language sql
as $$
    with said as (
        select f.date, f.mode, f.carrier, f.service, f.currency, f.days,
            1 as sign, f.shipments, f.purchased, f.delivered, f.in_transit,
            f.failed, f.cancelled, f.on_time, f.promised, f.cost, f.costed,
            f.seconds
        from waybill.shipments s
        cross join lateral waybill.shipment_figures(s) f
        where s.created_at >= p_first::timestamp at time zone 'UTC'
            and s.created_at < (p_last + 1)::timestamp at time zone 'UTC'
        union all
        select f.date, f.mode, f.carrier, f.service, f.currency, f.days,
            -1, f.shipments, f.purchased, f.delivered, f.in_transit, f.failed,
            f.cancelled, f.on_time, f.promised, f.cost, f.costed, f.seconds
        from waybill.figures f
        where f.date between p_first and p_last
    ),
    repaired as (
        insert into waybill.shipment_days as k
        select s.date, s.mode, s.carrier, s.service, s.currency, s.days,
            sum(s.sign * s.shipments), sum(s.sign * s.purchased),
            sum(s.sign * s.delivered), sum(s.sign * s.in_transit),
            sum(s.sign * s.failed), sum(s.sign * s.cancelled),
            sum(s.sign * s.on_time), sum(s.sign * s.promised),
            sum(s.sign * s.cost), sum(s.sign * s.costed),
            sum(s.sign * s.seconds)
        from said s
        group by 1, 2, 3, 4, 5, 6
        having case when array[sum(s.sign * s.shipments),
            sum(s.sign * s.purchased), sum(s.sign * s.delivered),
            sum(s.sign * s.in_transit), sum(s.sign * s.failed),
            sum(s.sign * s.cancelled), sum(s.sign * s.on_time),
            sum(s.sign * s.promised), sum(s.sign * s.cost),
            sum(s.sign * s.costed), sum(s.sign * s.seconds)]
            <> array_fill(0.0, array[11]) then waybill.hold_merges() end
        order by 1, 2, 3, 4, 5, 6
        on conflict (mode, date, carrier, service, currency, days) do update
        set (shipments, purchased, delivered, in_transit, failed, cancelled,
            on_time, promised, cost, costed, seconds) =
            (k.shipments + excluded.shipments,
            k.purchased + excluded.purchased,
            k.delivered + excluded.delivered,
            k.in_transit + excluded.in_transit, k.failed + excluded.failed,
            k.cancelled + excluded.cancelled, k.on_time + excluded.on_time,
            k.promised + excluded.promised, k.cost + excluded.cost,
            k.costed + excluded.costed, k.seconds + excluded.seconds)
        returning 1
    )
    select count(*) from repaired
$$;
revoke all on function waybill.check_days(date, date) from public;
