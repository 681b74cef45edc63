-- An answer of the dashboard's, part by part, in the order of a report: each carrier,
-- their total and that of as many days before, what is late now (whenever it was
-- made), and the leading routes of 90 days.
create or replace function waybill.report_parts(p_data jsonb)
returns table (place bigint, part text, name text, date_from date,
    date_to date, figures jsonb)
language plpgsql
stable
as $$
declare
    v_first date := (p_data ->> 'date_from')::date;
    v_last date := (p_data ->> 'date_to')::date;
    v_days integer := v_last - v_first + 1;
begin
    return query
    select c.number, 'carrier', c.value ->> 'carrier', v_first, v_last, c.value
    from jsonb_array_elements(p_data -> 'carrier_performance')
        with ordinality as c (value, number)
    union all
    select 10000001, 'total', v_days || ' days', v_first, v_last,
        p_data -> 'summary'
    union all
    select 10000002, 'before', v_days || ' days before', v_first - v_days,
        v_first - 1, p_data #> '{summary,previous}'
    union all
    select 10000003, 'late', 'late now, of all time', null, null,
        jsonb_build_object('total_shipments',
            p_data #> '{attention,late_count}')
    union all
    select 10000003 + r.number, 'route', concat_ws(' ',
            r.value ->> 'from_city', nullif(r.value ->> 'from_state', ''),
            r.value ->> 'from_country', '->', r.value ->> 'to_city',
            nullif(r.value ->> 'to_state', ''), r.value ->> 'to_country'),
        v_last - 89, v_last, r.value
    from jsonb_array_elements(p_data -> 'top_routes')
        with ordinality as r (value, number);
end
$$;
revoke all on function waybill.report_parts(jsonb) from public;
