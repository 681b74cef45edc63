-- The part of merge_figures that is by day, carrier and service.  In one order
-- everywhere, so that nobody waits in a circle.  A note has both what is counted where
-- days is 0 and what is counted where days is its own.
create or replace function waybill.merge_days(p_taken pg_snapshot)
returns void
language sql
as $$
    insert into waybill.shipment_days as k
    select s.date, s.mode, s.carrier, s.service, s.currency, p.days,
        sum(p.rest * s.shipments), sum(p.rest * s.purchased),
        sum(p.rest * s.delivered), sum(p.rest * s.in_transit),
        sum(p.rest * s.failed), sum(p.rest * s.cancelled),
        sum(p.rest * s.on_time), sum(p.rest * s.promised),
        sum(p.rest * s.cost), sum(p.rest * s.costed),
        sum(p.times * s.seconds), sum(p.times * s.timed)
    from (
        select d.date, d.mode, d.carrier, d.service, d.currency, d.days,
            sum(d.shipments) as shipments, sum(d.purchased) as purchased,
            sum(d.delivered) as delivered, sum(d.in_transit) as in_transit,
            sum(d.failed) as failed, sum(d.cancelled) as cancelled,
            sum(d.on_time) as on_time, sum(d.promised) as promised,
            sum(d.cost) as cost, sum(d.costed) as costed,
            sum(d.seconds) as seconds, sum(d.timed) as timed
        from waybill.shipment_deltas d
        where pg_visible_in_snapshot(d.xid, p_taken)
        group by 1, 2, 3, 4, 5, 6) s
    cross join lateral (values (0, 1, 0), (s.days, 0, 1))
        as p (days, rest, times)
    where p.rest = 1 or s.days > 0
    group by 1, 2, 3, 4, 5, 6
    order by 1, 2, 3, 4, 5, 6
    on conflict (mode, date, carrier, service, currency, days) do update
    set (shipments, purchased, delivered, in_transit, failed, cancelled,
        on_time, promised, cost, costed, seconds, timed) =
        (k.shipments + excluded.shipments, k.purchased + excluded.purchased,
        k.delivered + excluded.delivered,
        k.in_transit + excluded.in_transit, k.failed + excluded.failed,
        k.cancelled + excluded.cancelled, k.on_time + excluded.on_time,
        k.promised + excluded.promised, k.cost + excluded.cost,
        k.costed + excluded.costed, k.seconds + excluded.seconds,
        k.timed + excluded.timed)
$$;
revoke all on function waybill.merge_days(pg_snapshot) from public;
