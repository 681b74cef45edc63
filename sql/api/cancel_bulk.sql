-- Stops a bulk call: what has not been sent will not be.  not_sent: how many items
-- that are; state: cancelled, or how it had ended before.  No row: there is no such
-- call.
create function api.cancel_bulk(
    p_ref text, p_mode text, p_actor text, p_request_id text)
returns table (id uuid, batch_id text, state text, not_sent bigint,
    status integer, problem text)
language plpgsql
security definer
set search_path = waybill, pg_temp
as $$
declare
    v record;
    v_not_sent bigint := 0;
begin
    select b.id, b.batch_id, b.status, b.wait_until, b.source,
        waybill.foreign_mode(b.mode, p_mode) as problem
    into v
    from waybill.batch_operations b
    where p_ref in (b.id::text, b.batch_id)
    for update;
    if not found then
        return;
    end if;
    if v.problem is not null or v.wait_until is null then
        return query select v.id, v.batch_id, v.status, 0::bigint,
            case when v.problem is not null then 403
                when v.status <> 'cancelled' then 409 end,
            coalesce(v.problem, 'This batch has ended, or is not one that is '
                'worked off here: nothing can be stopped.');
        return;
    end if;
    v_not_sent := waybill.stop_bulk(v.batch_id, 'cancelled');
    update waybill.batch_operations b
    set wait_until = now(),
        parameters = b.parameters || jsonb_build_object(
            'cancelled_by', p_actor, 'cancelled_in', p_request_id)
    where b.id = v.id;
    perform waybill.count_bulk(v.batch_id);
    return query select v.id, v.batch_id, 'cancelled', v_not_sent,
        null::integer, null::text;
end
$$;
revoke all on function api.cancel_bulk(text, text, text, text) from public;
grant execute on function api.cancel_bulk(text, text, text, text)
to waybill_worker;
