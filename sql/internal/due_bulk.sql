-- The bulk call whose turn it is, locked and in order: what somebody else had sent
-- and has not told of is in doubt, and who may not send any more does not.  Null:
-- none is due.
create or replace function waybill.due_bulk()
returns text
language plpgsql
as $$
declare
    v_call record;
begin
    select b.batch_id, b.status, b.user_id
    into v_call
    from waybill.batch_operations b
    where b.wait_until <= now()
    order by b.wait_until
    limit 1
    for update;
    if not found then
        return null;
    end if;
    update waybill.bulk_items i
    set state = 'in_doubt',
        error = waybill.bulk_error('in_doubt'),
        looked_at = case when i.reference is null then now() end
    where i.batch_id = v_call.batch_id
        and i.state = 'sending';
    if v_call.status = 'cancelled' then
        perform waybill.stop_bulk(v_call.batch_id, 'cancelled');
    elsif not exists (
        select from waybill.api_keys k
        where k.id::text = v_call.user_id
            and k.revoked_at is null
            and (k.expires_at is null or k.expires_at > now()))
    then
        perform waybill.stop_bulk(v_call.batch_id, 'key');
    end if;
    -- what one call makes and buys has no price before
    update waybill.bulk_items i
    set state = 'not_sent',
        error = waybill.bulk_error('limit'),
        finished_at = now()
    where i.batch_id = v_call.batch_id
        and i.state = 'pending'
        and i.buys
        and exists (
            select from waybill.api_keys k
            where k.id::text = v_call.user_id
                and k.daily_spending_limit is not null);
    update waybill.batch_operations b
    set wait_until = now()
    where b.batch_id = v_call.batch_id;
    perform waybill.count_bulk(v_call.batch_id);
    return v_call.batch_id;
end
$$;
revoke all on function waybill.due_bulk() from public;
