-- The ten routes with most shipments in the last 90 days.  A route that unmerged
-- notes touch may have moved: there are no more of these than looked at besides
-- the first ten.
create or replace function waybill.top_routes_json(p_mode text)
returns json
language plpgsql
stable
parallel safe
as $$
begin
    return (
        with touched as (
            select d.from_city, d.from_state, d.from_country, d.to_city,
                d.to_state, d.to_country
            from waybill.shipment_deltas d
            join waybill.analytics_state a on a.mode = d.mode
            where d.xid >= a.horizon and d.mode = p_mode
            group by 1, 2, 3, 4, 5, 6
        ),
        looked_at as (
            select r.from_city, r.from_state, r.from_country, r.to_city,
                r.to_state, r.to_country
            from (
                select r.*
                from waybill.recent_routes r
                where r.mode = p_mode
                order by r.shipments desc
                -- a route has a row for each currency, of which few have two
                limit 30 + 3 * (select count(*) from touched)) r
            union
            select t.* from touched t
        ),
        routes as (
            select l.from_city, l.from_state, l.from_country, l.to_city,
                l.to_state, l.to_country, f.*
            from looked_at l
            cross join lateral (
                select sum(f.shipments)::bigint as shipments,
                    round(sum(f.seconds) / 86400.0
                        / nullif(sum(f.delivered), 0), 3) as days,
                    sum(f.delivered)::bigint as delivered,
                    waybill.costs_json(array_agg(f.currency), array_agg(f.cost),
                        array_agg(f.costed::bigint)) as costs
                from waybill.route_figures f
                where row(f.mode, f.from_city, f.from_state, f.from_country,
                    f.to_city, f.to_state, f.to_country) = row(p_mode,
                    l.from_city, l.from_state, l.from_country, l.to_city,
                    l.to_state, l.to_country)) f
            where f.shipments > 0
            order by f.shipments desc, 1, 2, 3, 4, 5, 6
            limit 10
        )
        select coalesce(json_agg(json_build_object('from_city', r.from_city,
            'from_state', r.from_state, 'from_country', r.from_country,
            'to_city', r.to_city, 'to_state', r.to_state,
            'to_country', r.to_country, 'shipment_count', r.shipments,
            'avg_delivery_days', r.days, 'delivery_days_sample', r.delivered,
            'costs', r.costs) order by r.shipments desc, r.from_city,
            r.from_state, r.from_country, r.to_city, r.to_state, r.to_country),
            '[]')
        from routes r);
end
$$;
revoke all on function waybill.top_routes_json(text) from public;
