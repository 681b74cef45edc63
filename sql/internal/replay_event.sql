-- Applies a stored event again.  What it ends in is what it ended in before, but
-- where a mistake has been mended since, here or in its data.
create or replace function waybill.replay_event(
    p_id uuid, out state text, out error text)
language plpgsql
as $$
declare
    v record;
begin
    select e.payload, e.received_at, e.state, e.error
    into v
    from waybill.webhook_events e
    where e.id = p_id
    for no key update;
    state := v.state;
    error := v.error;
    if v.payload is null then
        return;
    end if;
    perform set_config('waybill.heard_at', v.received_at::text, true);
    begin
        state := case when waybill.record_event_object(
            v.payload::jsonb) > 0
            then 'applied' else 'kept' end;
        error := null;
    exception
        when data_exception or integrity_constraint_violation
            or program_limit_exceeded then
            state := 'failed';
            error := sqlerrm;
    end;
    perform set_config('waybill.heard_at', '', true);
    update waybill.webhook_events e
    set state = replay_event.state,
        error = replay_event.error
    where e.id = p_id
        and (e.state, e.error)
            is distinct from (replay_event.state, replay_event.error);
end
$$;
revoke all on function waybill.replay_event(uuid) from public;
