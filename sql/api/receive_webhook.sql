-- Keeps an event of EasyPost and applies its object, in one transaction.
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
    v_error text := v_read.flaw;
begin
    event_id := case
        when v_raw is not null then waybill.event_id_of(p_body)
        when jsonb_typeof(v_read.doc) = 'object'
            and jsonb_typeof(v_read.doc -> 'id') = 'string'
        then waybill.to_key(v_read.doc ->> 'id') end;
    if event_id is null or event_id not like 'evt\_%' then
        outcome := 'refused';
        event_id := null;
        return;
    end if;
    v_id := waybill.easypost_uuid(
        waybill.to_time(v_read.doc ->> 'created_at'), event_id);
    with fresh as (
        insert into waybill.webhook_event_ids (easypost_id, id)
        values (event_id, v_id)
        on conflict do nothing
        returning id)
    insert into waybill.webhook_events (id, easypost_id, description, mode,
        user_id, object, object_id, payload, raw, state, request_id,
        occurred_at)
    select f.id, event_id, left(v_read.doc ->> 'description', 200),
        v_read.doc ->> 'mode', v_read.doc ->> 'user_id',
        v_read.doc -> 'result' ->> 'object',
        waybill.to_key(v_read.doc -> 'result' ->> 'id'),
        case when v_raw is null then waybill.blank_urls(v_read.body)::json end,
        v_raw, 'applied', p_request_id,
        waybill.to_time(v_read.doc ->> 'created_at')
    from fresh f;
    if not found then
        outcome := 'duplicate';
        return;
    end if;
    if v_error is null then
        begin
            if waybill.record_objects(array[v_read.doc -> 'result'],
                v_read.doc ->> 'mode') > 0
            then
                outcome := 'applied';
                return;
            end if;
        exception
            when data_exception or integrity_constraint_violation
                or program_limit_exceeded then
                v_error := sqlerrm;
        end;
    end if;
    outcome := 'kept';
    update waybill.webhook_events e
    set state = case when v_error is null then 'kept' else 'failed' end,
        error = v_error
    where e.id = v_id;
end
$$;
revoke all on function api.receive_webhook(bytea, text) from public;
grant execute on function api.receive_webhook(bytea, text)
to waybill_worker, waybill_jobs;
