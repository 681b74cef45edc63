-- What is told of one route of the last 90 days.
create or replace function waybill.route_json(
    p_mode text, p_from_city text, p_from_state text, p_from_country text,
    p_to_city text, p_to_state text, p_to_country text)
returns json
language plpgsql
stable
parallel safe
as $$
begin
    return (
        select json_build_object('from_city', p_from_city,
            'from_state', p_from_state, 'from_country', p_from_country,
            'to_city', p_to_city, 'to_state', p_to_state,
            'to_country', p_to_country,
            'shipment_count', sum(f.shipments),
            'avg_delivery_days', round(sum(f.seconds) / 86400.0
                / nullif(sum(f.delivered), 0), 3),
            'delivery_days_sample', sum(f.delivered),
            'costs', waybill.costs_json(array_agg(f.currency),
                array_agg(f.cost), array_agg(f.costed::bigint)))
        from waybill.route_figures f
        where row(f.mode, f.from_city, f.from_state, f.from_country,
            f.to_city, f.to_state, f.to_country) = row(p_mode, p_from_city,
            p_from_state, p_from_country, p_to_city, p_to_state,
            p_to_country));
end
$$;
revoke all on function waybill.route_json(
    text, text, text, text, text, text, text)
from public;
