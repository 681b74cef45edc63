-- An answer of the dashboard's, part by part, in the order of a report.
create or replace function waybill.report_parts(p_data jsonb)
returns table (place bigint, part text, name text, figures jsonb)
language plpgsql
stable
as $$
begin
    return query
    select c.number, 'carrier', c.value ->> 'carrier', c.value
    from jsonb_array_elements(p_data -> 'carrier_performance')
        with ordinality as c (value, number)
    union all
    select 10000001, 'total', p_data ->> 'days' || ' days',
        p_data -> 'summary'
    union all
    select 10000002, 'before', p_data ->> 'days' || ' days before',
        p_data #> '{summary,previous}'
    union all
    select 10000003, 'late', 'late now, of all time', jsonb_build_object(
        'total_shipments', p_data #> '{attention,late_count}')
    union all
    select 10000003 + r.number, 'route', concat_ws(' ',
            r.value ->> 'from_city', nullif(r.value ->> 'from_state', ''),
            r.value ->> 'from_country', '->', r.value ->> 'to_city',
            nullif(r.value ->> 'to_state', ''), r.value ->> 'to_country'),
        r.value
    from jsonb_array_elements(p_data -> 'top_routes')
        with ordinality as r (value, number);
end
$$;
revoke all on function waybill.report_parts(jsonb) from public;
