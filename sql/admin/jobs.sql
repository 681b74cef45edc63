-- What is in the queue, and what has failed for good.
create function admin.jobs()
returns table (id uuid, kind text, state text, attempts text, due text,
    error text)
language sql
stable
security definer
set search_path = waybill, pg_temp
begin atomic
    select j.id, j.kind, j.state, j.attempts || ' of ' || j.max_attempts,
        to_char(j.run_at at time zone 'UTC', 'YYYY-MM-DD HH24:MI:SS'), j.error
    from waybill.jobs j
    where j.state in ('queued', 'running', 'failed')
    order by j.state, j.run_at
    limit 1000;
end;
revoke all on function admin.jobs() from public;
grant execute on function admin.jobs() to waybill_jobs;
