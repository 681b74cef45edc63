-- Merges what was noted of changed shipments into the sums; for every second.
create function admin.merge_figures()
returns bigint
language sql
volatile
security definer
set search_path = waybill, pg_temp
begin atomic
    select waybill.merge_figures();
end;
revoke all on function admin.merge_figures() from public;
grant execute on function admin.merge_figures() to waybill_jobs;
