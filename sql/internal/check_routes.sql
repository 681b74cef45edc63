-- As check_days, of the sums by route, which are of all of the last 90 days: from
-- p_first (not after any routes_from) to p_last (not before any shipment).  Without
-- both, all shipments would be read.
create or replace function waybill.check_routes(p_first date, p_last date)
returns bigint
language sql
as $$
    with said as (
        select f.mode, f.from_city, f.from_state, f.from_country, f.to_city,
            f.to_state, f.to_country, f.currency, f.shipments, f.cost,
            f.costed, f.delivered, f.seconds
        from waybill.fresh_routes(p_first, p_last) f
        union all
        select f.mode, f.from_city, f.from_state, f.from_country, f.to_city,
            f.to_state, f.to_country, f.currency, -f.shipments, -f.cost,
            -f.costed, -f.delivered, -f.seconds
        from waybill.route_figures f
    ),
    repaired as (
        insert into waybill.recent_routes as k
        select s.mode, s.from_city, s.from_state, s.from_country, s.to_city,
            s.to_state, s.to_country, s.currency, sum(s.shipments),
            sum(s.cost), sum(s.costed), sum(s.delivered), sum(s.seconds)
        from said s
        group by 1, 2, 3, 4, 5, 6, 7, 8
        having case when row(sum(s.shipments), sum(s.cost), sum(s.costed),
            sum(s.delivered), sum(s.seconds)) <> row(0, 0.0, 0, 0, 0)
            then waybill.hold_merges() end
        order by 1, 2, 3, 4, 5, 6, 7, 8
        on conflict (mode, from_city, from_state, from_country, to_city,
            to_state, to_country, currency) do update
        set (shipments, cost, costed, delivered, seconds) =
            (k.shipments + excluded.shipments, k.cost + excluded.cost,
            k.costed + excluded.costed, k.delivered + excluded.delivered,
            k.seconds + excluded.seconds)
        returning 1
    )
    select count(*) from repaired
$$;
revoke all on function waybill.check_routes(date, date) from public;
