-- The ten routes with most shipments in the last 90 days.
create or replace function waybill.top_routes_json(p_mode text)
returns json
language plpgsql
stable
parallel safe
as $$
declare
    v_routes json;
begin
    select json_agg(c.route order by c.shipments desc, c.places)
    into v_routes
    from (
        select r.route, (r.route ->> 'shipment_count')::bigint as shipments,
            array[f.from_city, f.from_state, f.from_country, f.to_city,
                f.to_state, f.to_country] as places
        from waybill.leading_routes(p_mode) f
        cross join lateral (
            select waybill.route_json(p_mode, f.from_city, f.from_state,
                f.from_country, f.to_city, f.to_state, f.to_country)
                as route) r
        order by 2 desc, 3
        limit 10) c;
    return coalesce(v_routes, '[]');
end
$$;
revoke all on function waybill.top_routes_json(text) from public;
