-- How many addresses satisfy a condition, as the statistics have it.  Volatile,
-- for EXPLAIN is not allowed elsewhere.
create or replace function waybill.search_rows(p_query tsquery)
returns bigint
language plpgsql
volatile
as $$
declare
    v_plan json;
begin
    execute format('explain (format json) select from waybill.addresses a'
        || ' where a.search_vector @@ %L', p_query) into v_plan;
    return (v_plan -> 0 -> 'Plan' ->> 'Plan Rows')::bigint;
end
$$;
revoke all on function waybill.search_rows(tsquery) from public;
