-- What the figures of admin.report are of, and as of when.
create function admin.report_scope(p_days integer, p_mode text)
returns table (mode text, date_from text, date_to text, as_of text)
language sql
stable
security definer
set search_path = waybill, pg_temp
begin atomic
    select d.v ->> 'mode', d.v ->> 'date_from', d.v ->> 'date_to',
        d.v ->> 'as_of'
    from (select api.dashboard(p_days, p_mode) as v) d;
end;
revoke all on function admin.report_scope(integer, text) from public;
grant execute on function admin.report_scope(integer, text) to waybill_jobs;
