-- The same figures in the shape of GET /analytics.
create function api.analytics(p_days integer, p_mode text)
returns json
language plpgsql
stable
security definer
set search_path = waybill, pg_temp
as $$
declare
    v jsonb := api.dashboard(p_days, p_mode);
begin
    return json_build_object(
        'mode', v -> 'mode',
        'as_of', v -> 'as_of',
        'summary', jsonb_build_object(
            'total_shipments', v -> 'summary' -> 'total_shipments',
            'total_cost', waybill.only_cost(v -> 'summary', 'total_cost'),
            'average_cost', waybill.only_cost(v -> 'summary', 'avg_cost'),
            'currency', waybill.only_cost(v -> 'summary', 'currency'),
            'costs', v -> 'summary' -> 'costs',
            'date_range', jsonb_build_object(
                'start', v -> 'date_from', 'end', v -> 'date_to')),
        'by_carrier', (
            select coalesce(jsonb_agg(jsonb_build_object(
                'carrier', c.value -> 'carrier',
                'shipments', c.value -> 'total_shipments',
                'total_cost', waybill.only_cost(c.value, 'total_cost'),
                'avg_cost', waybill.only_cost(c.value, 'avg_cost'),
                'currency', waybill.only_cost(c.value, 'currency'),
                'success_rate', c.value -> 'success_rate',
                'success_sample', c.value -> 'success_sample')
                order by c.place), '[]')
            from jsonb_array_elements(v -> 'carrier_performance')
                with ordinality as c (value, place)),
        'by_date', (
            select jsonb_agg(jsonb_build_object(
                'date', d.value -> 'date',
                'shipments', d.value -> 'count',
                'cost', waybill.only_cost(d.value, 'total_cost'),
                'currency', waybill.only_cost(d.value, 'currency'))
                order by d.place)
            from jsonb_array_elements(v -> 'shipment_trends')
                with ordinality as d (value, place)),
        'top_routes', (
            select coalesce(jsonb_agg(jsonb_build_object(
                'origin', r.value -> 'from_city',
                'destination', r.value -> 'to_city',
                'shipment_count', r.value -> 'shipment_count',
                'total_cost', waybill.only_cost(r.value, 'total_cost'),
                'currency', waybill.only_cost(r.value, 'currency'))
                order by r.place), '[]')
            from jsonb_array_elements(v -> 'top_routes')
                with ordinality as r (value, place)));
end
$$;
revoke all on function api.analytics(integer, text) from public;
grant execute on function api.analytics(integer, text) to waybill_worker;
