-- Does the job that is due for longest and that nobody else is doing, in this
-- transaction: whoever dies at it leaves it as it was.  One that fails is tried
-- again after 1, 5, 25 minutes and so on; after its last attempt it stays, as
-- failed.  outcome: done, queued (it failed, and will be tried again), failed;
-- null: nothing is due.
create function admin.work_job()
returns table (id uuid, kind text, outcome text, error text)
language plpgsql
security definer
set search_path = waybill, pg_temp
set timezone = 'UTC'
as $$
declare
    v_job record;
begin
    select j.id, j.kind, j.payload, j.attempts + 1 as attempts, j.max_attempts
    into v_job
    from waybill.jobs j
    where j.state = 'queued'
        and j.run_at <= now()
    order by j.run_at
    limit 1
    for update skip locked;
    id := v_job.id;
    kind := v_job.kind;
    if id is not null then
        outcome := 'done';
        begin
            perform waybill.do_job(v_job.kind, v_job.payload);
        exception
            when others then
                error := sqlerrm;
                outcome := case when v_job.attempts < v_job.max_attempts
                    then 'queued' else 'failed' end;
        end;
        update waybill.jobs j
        set state = work_job.outcome,
            error = work_job.error,
            attempts = v_job.attempts,
            started_at = now(),
            finished_at = case when work_job.outcome <> 'queued'
                then clock_timestamp() end,
            run_at = case when work_job.outcome = 'queued'
                then now() + least(interval '6 hours',
                    interval '1 minute' * 5 ^ (v_job.attempts - 1))
                else j.run_at end
        where j.id = v_job.id;
    end if;
    return next;
end
$$;
revoke all on function admin.work_job() from public;
grant execute on function admin.work_job() to waybill_jobs;
