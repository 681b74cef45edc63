-- Keeps an event of EasyPost and applies its object, in one transaction.
-- One that cannot be applied is tried again by a job.
-- outcome: applied; kept (nothing to apply, or nothing that could be read);
-- duplicate (this evt_ id came before); refused (no event).
create function api.receive_webhook(
    p_body bytea, p_request_id text, out outcome text, out event_id text)
language plpgsql
security definer
set search_path = waybill, pg_temp
set timezone = 'UTC'
set plan_cache_mode = force_generic_plan
set enable_seqscan = off
as $$
declare
    v_read record := waybill.read_json(p_body);
    v_raw bytea := case when v_read.flaw is not null then p_body end;
    v_id uuid;
begin
    event_id := case when v_raw is not null then waybill.event_id_of(p_body)
        when jsonb_typeof(v_read.doc) = 'object'
            and jsonb_typeof(v_read.doc -> 'id') = 'string'
        then waybill.to_key(v_read.doc ->> 'id') end;
    if event_id is null or event_id not like 'evt\_%' then
        outcome := 'refused';
        event_id := null;
        return;
    end if;
    -- applied as it is kept, so that it is the same when it is applied again
    if strpos(v_read.body, '@') > 0 then
        v_read.body := waybill.blank_urls(v_read.body);
        v_read.doc := v_read.body::jsonb;
    end if;
    v_id := waybill.easypost_uuid(
        waybill.to_time(v_read.doc ->> 'created_at'), event_id);
    if not waybill.keep_event(v_id, event_id, v_read.doc, v_read.body, v_raw,
        p_request_id)
    then
        outcome := 'duplicate';
        return;
    end if;
    if v_read.flaw is null then
        begin
            outcome := case when waybill.record_event_object(v_read.doc) > 0
                then 'applied' end;
        exception
            when data_exception or integrity_constraint_violation
                or program_limit_exceeded then
                v_read.flaw := sqlerrm;
        end;
    end if;
    if outcome is null then
        outcome := 'kept';
        update waybill.webhook_events e
        set state = case when v_read.flaw is null then 'kept' else 'failed' end,
            error = v_read.flaw
        where e.id = v_id;
        if v_read.flaw is not null and v_raw is null then
            perform waybill.queue_job('replay_event',
                jsonb_build_object('id', v_id), p_request_id);
        end if;
    end if;
end
$$;
revoke all on function api.receive_webhook(bytea, text) from public;
grant execute on function api.receive_webhook(bytea, text)
to waybill_worker, waybill_jobs;
