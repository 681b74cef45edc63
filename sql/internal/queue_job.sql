-- Puts a job into the queue, to be begun in a minute.
create or replace function waybill.queue_job(
    p_kind text, p_payload jsonb, p_request_id text)
returns void
language sql
volatile
as $$
    insert into waybill.jobs (kind, payload, request_id, run_at)
    values (p_kind, p_payload, p_request_id, now() + interval '1 minute')
$$;
revoke all on function waybill.queue_job(text, jsonb, text) from public;
