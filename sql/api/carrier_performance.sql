-- The carriers in the shape of GET /carrier-performance, an array that has no room for
-- as_of: rate is the share that came no later than promised, in percent; null when
-- nobody knows.
create function api.carrier_performance(p_days integer, p_mode text)
returns table (carriers json, as_of text)
language plpgsql
stable
security definer
set search_path = waybill, pg_temp
as $$
declare
    v jsonb := api.dashboard(p_days, p_mode);
begin
    as_of := v ->> 'as_of';
    carriers := (
        select coalesce(json_agg(jsonb_build_object(
            'carrier', c.value -> 'carrier',
            'rate', c.value -> 'on_time_rate',
            'on_time_sample', c.value -> 'on_time_sample',
            'shipments', c.value -> 'total_shipments',
            'success_rate', c.value -> 'success_rate',
            'success_sample', c.value -> 'success_sample',
            'avg_delivery_days', c.value -> 'avg_delivery_days',
            'delivery_days_p50', c.value -> 'delivery_days_p50',
            'delivery_days_p90', c.value -> 'delivery_days_p90',
            'delivery_days_sample', c.value -> 'delivery_days_sample',
            'costs', c.value -> 'costs') order by c.place), '[]')
        from jsonb_array_elements(v -> 'carrier_performance')
            with ordinality as c (value, place));
    return next;
end
$$;
revoke all on function api.carrier_performance(integer, text) from public;
grant execute on function api.carrier_performance(integer, text)
to waybill_worker;
