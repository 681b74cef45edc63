-- Puts jobs that have failed for good back into the queue, all their attempts
-- before them; p_id null: all of them.
create function admin.retry_jobs(p_id uuid)
returns table (queued bigint)
language sql
volatile
security definer
set search_path = waybill, pg_temp
begin atomic
    with again as (
        update waybill.jobs j
        set state = 'queued',
            attempts = 0,
            run_at = now(),
            finished_at = null
        where j.state = 'failed'
            and (p_id is null or j.id = p_id)
        returning 1)
    select count(*) from again;
end;
revoke all on function admin.retry_jobs(uuid) from public;
grant execute on function admin.retry_jobs(uuid) to waybill_jobs;
