-- Once a day: takes what is older than 90 days out of the sums of routes.  The
-- caller holds the lock of merging.
create or replace function waybill.move_routes()
returns void
language plpgsql
as $$
declare
    v_from date := (now() at time zone 'UTC')::date - 89;
    v_first date;
begin
    v_first := (select min(a.routes_from) from waybill.analytics_state a);
    if v_first >= v_from then
        return;
    end if;
    -- the shipments of these days, less what is not merged yet: one snapshot
    with gone as (
        select f.mode, f.from_city, f.from_state, f.from_country, f.to_city,
            f.to_state, f.to_country, f.currency, f.shipments, f.cost,
            f.costed, f.timed as delivered, f.seconds
        from waybill.analytics_state a
        join waybill.shipments s
            on s.created_at >= a.routes_from::timestamp at time zone 'UTC'
            and s.created_at >= v_first::timestamp at time zone 'UTC'
            and s.created_at < v_from::timestamp at time zone 'UTC'
            and s.mode = a.mode
        cross join lateral waybill.shipment_figures(s) f
        union all
        select d.mode, d.from_city, d.from_state, d.from_country, d.to_city,
            d.to_state, d.to_country, d.currency, -d.shipments, -d.cost,
            -d.costed, -d.timed, -d.seconds
        from waybill.analytics_state a
        join waybill.shipment_deltas d
            on d.date >= a.routes_from
            and d.date < v_from
            and d.mode = a.mode
    )
    update waybill.recent_routes k
    set (shipments, cost, costed, delivered, seconds) =
        (k.shipments - g.shipments, k.cost - g.cost, k.costed - g.costed,
        k.delivered - g.delivered, k.seconds - g.seconds)
    from (
        select g.mode, g.from_city, g.from_state, g.from_country, g.to_city,
            g.to_state, g.to_country, g.currency,
            sum(g.shipments) as shipments, sum(g.cost) as cost,
            sum(g.costed) as costed, sum(g.delivered) as delivered,
            sum(g.seconds) as seconds
        from gone g
        group by 1, 2, 3, 4, 5, 6, 7, 8) g
    where row(k.mode, k.from_city, k.from_state, k.from_country, k.to_city,
        k.to_state, k.to_country, k.currency)
        = row(g.mode, g.from_city, g.from_state, g.from_country, g.to_city,
        g.to_state, g.to_country, g.currency);
    delete from waybill.recent_routes k
    where row(k.shipments, k.cost, k.costed, k.delivered, k.seconds)
        = row(0, 0.0, 0, 0, 0);
    update waybill.analytics_state a
    set routes_from = v_from
    where a.routes_from < v_from;
end
$$;
revoke all on function waybill.move_routes() from public;
