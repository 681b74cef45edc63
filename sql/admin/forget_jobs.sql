-- Removes jobs that were done a week ago, those that failed stay; and what was noted
-- 13 months ago of comparisons of the figures and of what keys with a limit spent.
create function admin.forget_jobs()
returns table (forgotten bigint)
language sql
volatile
security definer
set search_path = waybill, pg_temp
begin atomic
    with gone as (
        delete from waybill.jobs j
        where j.state in ('done', 'cancelled')
            and j.finished_at < now() - interval '7 days'
        returning 1),
    past as (
        delete from waybill.refresh_history h
        where h.started_at < now() - interval '13 months'
        returning 1),
    spent as (
        delete from waybill.spendings s
        where s.created_at < now() - interval '13 months'
        returning 1)
    select (select count(*) from gone) + (select count(*) from past)
        + (select count(*) from spent);
end;
revoke all on function admin.forget_jobs() from public;
grant execute on function admin.forget_jobs() to waybill_jobs;
