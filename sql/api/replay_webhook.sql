-- Applies a received event again; p_ref is its id here or EasyPost's.  No row: there
-- is no such event.
create function api.replay_webhook(
    p_ref text, p_mode text, p_actor text, p_request_id text)
returns table (id uuid, easypost_id text, state text, error text,
    status integer, problem text)
language plpgsql
security definer
set search_path = waybill, pg_temp
set timezone = 'UTC'
set plan_cache_mode = force_generic_plan
set enable_seqscan = off
as $$
declare
    v_id uuid := case when p_ref ~ '^[0-9a-fA-F]{8}(-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12}$'
        then p_ref::uuid
        else (
            select k.id
            from waybill.webhook_event_ids k
            where k.easypost_id = p_ref) end;
    v_event record;
begin
    select e.easypost_id, waybill.foreign_mode(e.mode, p_mode) as problem
    into v_event
    from waybill.webhook_events e
    where e.id = v_id;
    if not found then
        return;
    end if;
    if v_event.problem is not null then
        return query select v_id, v_event.easypost_id, null::text, null::text,
            403, v_event.problem;
        return;
    end if;
    perform waybill.begin_change(p_actor, p_request_id);
    return query
        select v_id, v_event.easypost_id, r.state, r.error, null::integer,
            null::text
        from waybill.replay_event(v_id) r;
end
$$;
revoke all on function api.replay_webhook(text, text, text, text) from public;
grant execute on function api.replay_webhook(text, text, text, text)
to waybill_worker;
