-- The part of merge_figures that is by route, of the last 90 days.
create or replace function waybill.merge_routes(p_taken pg_snapshot)
returns void
language sql
as $$
    with sums as materialized ( -- else all notes are sorted, not their sums
        select d.mode, d.from_city, d.from_state, d.from_country, d.to_city,
            d.to_state, d.to_country, d.currency,
            sum(d.shipments) as shipments, sum(d.cost) as cost,
            sum(d.costed) as costed, sum(d.timed) as timed,
            sum(d.seconds) as seconds
        from waybill.shipment_deltas d
        join waybill.analytics_state a on a.mode = d.mode
        where pg_visible_in_snapshot(d.xid, p_taken)
            and (d.shipments, d.cost, d.costed, d.timed, d.seconds)
                <> (0, 0, 0, 0, 0)
            and d.date >= a.routes_from
        group by 1, 2, 3, 4, 5, 6, 7, 8
    )
    insert into waybill.recent_routes as k (mode, from_city, from_state,
        from_country, to_city, to_state, to_country, currency, shipments, cost,
        costed, delivered, seconds)
    select s.mode, s.from_city, s.from_state, s.from_country, s.to_city,
        s.to_state, s.to_country, s.currency, s.shipments, s.cost, s.costed,
        s.timed, s.seconds
    from sums s
    where (s.shipments, s.cost, s.costed, s.timed, s.seconds)
        <> (0, 0, 0, 0, 0)
    order by 1, 2, 3, 4, 5, 6, 7, 8
    on conflict (mode, from_city, from_state, from_country, to_city, to_state,
        to_country, currency) do update
    set (shipments, cost, costed, delivered, seconds) =
        (k.shipments + excluded.shipments, k.cost + excluded.cost,
        k.costed + excluded.costed, k.delivered + excluded.delivered,
        k.seconds + excluded.seconds)
$$;
revoke all on function waybill.merge_routes(pg_snapshot) from public;
