-- GET /stats as rows, for CSV.
create function api.stats_rows(p_days integer, p_mode text)
returns table (figure text, value text, change text, trend text)
language sql
stable
security definer
set search_path = waybill, pg_temp
begin atomic
    select s.key, s.value ->> 'value', s.value ->> 'change',
        s.value ->> 'trend'
    from json_each(api.stats(p_days, p_mode)) as s
    where json_typeof(s.value) = 'object';
end;
revoke all on function api.stats_rows(integer, text) from public;
grant execute on function api.stats_rows(integer, text) to waybill_worker;
