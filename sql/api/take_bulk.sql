-- The next items of a bulk call, for the one worker that may have them; p_take is
-- this round's own: who asks again with it gets the same again.  They are noted as
-- being sent, for good when this returns: whoever dies now leaves them in doubt.
-- task: send; look (ask EasyPost what it made from `since` on, for the items in doubt
-- of one round); next (nothing to send in that call now, but ask again).  No row:
-- nothing is due, or somebody else is at it.
create function api.take_bulk(p_take uuid, p_count integer)
returns table (task text, batch_id text, mode text, request_id text,
    index integer, request text, buys boolean, take text, since text,
    until text)
language plpgsql
security definer
set search_path = waybill, pg_temp
set timezone = 'UTC'
as $$
declare
    v_batch_id text;
begin
    if not waybill.hold_bulk() then
        return;
    end if;
    return query
        select t.* from waybill.taken_bulk(p_take) t;
    if found then
        return;
    end if;
    v_batch_id := waybill.due_bulk();
    if v_batch_id is null then
        perform api.rest_bulk();
        return;
    end if;
    update waybill.bulk_items i
    set state = 'sending',
        take_id = p_take,
        attempts = i.attempts + 1,
        sent_at = now(),
        looked_at = null,
        error = null
    where i.id in (
        select p.id
        from waybill.bulk_items p
        where p.batch_id = v_batch_id
            and p.state = 'pending'
        order by p.id desc
        limit p_count);
    if found then
        return query
            select t.* from waybill.taken_bulk(p_take) t;
    else
        return query
            select l.* from waybill.doubts_of_bulk(v_batch_id) l;
    end if;
end
$$;
revoke all on function api.take_bulk(uuid, integer) from public;
grant execute on function api.take_bulk(uuid, integer) to waybill_worker;
