-- For the operator's program: refreshes the three views, one row each.
create function admin.refresh_analytics_views()
returns table (view text, duration_ms numeric, result text)
language sql
volatile
security definer
set search_path = waybill, pg_temp
begin atomic
    select r.view, r.duration_ms, r.result
    from waybill.refresh_analytics_views() r;
end;
revoke all on function admin.refresh_analytics_views() from public;
grant execute on function admin.refresh_analytics_views() to waybill_jobs;
