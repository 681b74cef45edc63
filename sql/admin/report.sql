-- The figures of a period for the terminal: each carrier, and all of them, a line
-- for each currency.
create function admin.report(p_days integer, p_mode text)
returns table (carrier text, shipments bigint, delivered bigint,
    under_way bigint, failed bigint, on_time text, days_50_90 text, cost text,
    each text)
language plpgsql
stable
security definer
set search_path = waybill, pg_temp
as $$
#variable_conflict use_column
begin
    return query
    with told as (
        select 1 as place, jsonb_build_object('carrier', 'all')
            || (d.v -> 'summary') as v
        from (select api.dashboard(p_days, p_mode)::jsonb as v) d
        union all
        select 0, c.value
        from jsonb_array_elements(api.dashboard(p_days, p_mode)::jsonb
            -> 'carrier_performance') c
    )
    select t.v ->> 'carrier', (t.v ->> 'total_shipments')::bigint,
        (t.v ->> 'delivered_count')::bigint,
        (t.v ->> 'in_transit_count')::bigint,
        (t.v ->> 'failed_count')::bigint,
        coalesce((t.v ->> 'on_time_rate') || ' % of '
            || (t.v ->> 'on_time_sample'), 'unknown'),
        coalesce((t.v ->> 'delivery_days_p50') || ' / '
            || (t.v ->> 'delivery_days_p90') || ' of '
            || (t.v ->> 'delivery_days_sample'), 'unknown'),
        concat_ws(' ', m.value ->> 'total_cost', m.value ->> 'currency'),
        m.value ->> 'avg_cost'
    from told t
    left join lateral jsonb_array_elements(t.v -> 'costs') m on true
    order by t.place, 2 desc, 1;
end
$$;
revoke all on function admin.report(integer, text) from public;
grant execute on function admin.report(integer, text) to waybill_jobs;
