-- The ten routes with most shipments in the last 90 days, and what is told of each.
create or replace function waybill.top_routes_json(p_mode text)
returns json
language plpgsql
stable
parallel safe
as $$
declare
    v_routes json;
begin
    select json_agg(json_build_object('from_city', r.from_city,
            'from_state', r.from_state, 'from_country', r.from_country,
            'to_city', r.to_city, 'to_state', r.to_state,
            'to_country', r.to_country,
            'shipment_count', r.shipments,
            'avg_delivery_days', round(r.seconds / 86400.0
                / nullif(r.delivered, 0), 3),
            'delivery_days_sample', r.delivered,
            'costs', r.costs)
        order by r.shipments desc, r.from_city, r.from_state, r.from_country,
            r.to_city, r.to_state, r.to_country)
    into v_routes
    from (
        select p.from_city, p.from_state, p.from_country, p.to_city,
            p.to_state, p.to_country, sum(p.shipments) as shipments,
            sum(p.delivered) as delivered, sum(p.seconds) as seconds,
            waybill.costs_json(array_agg(p.currency), array_agg(p.cost),
                array_agg(p.costed)) as costs
        from waybill.leading_parts(p_mode) p
        group by 1, 2, 3, 4, 5, 6
        order by 7 desc, 1, 2, 3, 4, 5, 6
        limit 10) r;
    return coalesce(v_routes, '[]');
end
$$;
revoke all on function waybill.top_routes_json(text) from public;
