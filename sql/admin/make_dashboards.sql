-- Makes the answers ready that are not; for every second, behind a merge.
create function admin.make_dashboards()
returns void
language sql
volatile
security definer
set search_path = waybill, pg_temp
begin atomic
    select waybill.make_dashboards();
end;
revoke all on function admin.make_dashboards() from public;
grant execute on function admin.make_dashboards() to waybill_jobs;
