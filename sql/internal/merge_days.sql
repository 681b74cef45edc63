-- The part of merge_figures that is by day, carrier and service.  In one order
-- everywhere, so that nobody waits in a circle.
create or replace function waybill.merge_days(p_taken pg_snapshot)
returns void
language sql
as $$
    insert into waybill.shipment_days as k
    select d.date, d.mode, d.carrier, d.service, d.currency, d.days,
        sum(d.shipments), sum(d.purchased), sum(d.delivered),
        sum(d.in_transit), sum(d.failed), sum(d.cancelled), sum(d.on_time),
        sum(d.promised), sum(d.cost), sum(d.costed), sum(d.seconds)
    from waybill.shipment_deltas d
    where pg_visible_in_snapshot(d.xid, p_taken)
    group by 1, 2, 3, 4, 5, 6
    order by 1, 2, 3, 4, 5, 6
    on conflict (mode, date, carrier, service, currency, days) do update
    set (shipments, purchased, delivered, in_transit, failed, cancelled,
        on_time, promised, cost, costed, seconds) =
        (k.shipments + excluded.shipments, k.purchased + excluded.purchased,
        k.delivered + excluded.delivered,
        k.in_transit + excluded.in_transit, k.failed + excluded.failed,
        k.cancelled + excluded.cancelled, k.on_time + excluded.on_time,
        k.promised + excluded.promised, k.cost + excluded.cost,
        k.costed + excluded.costed, k.seconds + excluded.seconds)
$$;
revoke all on function waybill.merge_days(pg_snapshot) from public;
