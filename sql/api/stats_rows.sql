-- GET /stats as rows, for CSV.
create function api.stats_rows(p_days integer, p_mode text)
returns table (figure text, value text, currency text, change text,
    trend text, as_of text)
language sql
stable
security definer
set search_path = waybill, pg_temp
begin atomic
    select s.key, s.value ->> 'value', s.value ->> 'currency',
        s.value ->> 'change', s.value ->> 'trend', t.v ->> 'as_of'
    from (select api.stats(p_days, p_mode) as v) t
    cross join lateral json_each(t.v) as s
    where json_typeof(s.value) = 'object';
end;
revoke all on function api.stats_rows(integer, text) from public;
grant execute on function api.stats_rows(integer, text) to waybill_worker;
