-- What is to be asked of EasyPost for a bulk call of which nothing is left to send:
-- for the oldest round that left doubts, once its calls must have ended, one row for
-- what was bought and one for what was only made.  Before that the call waits.
create or replace function waybill.doubts_of_bulk(p_batch_id text)
returns table (task text, batch_id text, mode text, request_id text,
    index integer, request text, buys boolean, take text, since text,
    until text)
language plpgsql
as $$
declare
    -- a call to EasyPost ends after 40 seconds, and what it does soon after
    v_longest constant interval := interval '60 seconds';
    v record;
begin
    select i.take_id, i.sent_at
    into v
    from waybill.bulk_items i
    where i.batch_id = p_batch_id
        and i.state = 'in_doubt'
        and i.looked_at is null
    order by i.sent_at
    limit 1;
    if v.sent_at > now() - v_longest then
        update waybill.batch_operations b
        set wait_until = v.sent_at + v_longest
        where b.batch_id = p_batch_id;
    end if;
    return query
        select case when v.sent_at <= now() - v_longest
                then 'look' else 'next' end,
            b.batch_id, b.mode, b.parameters ->> 'request_id', null::integer,
            null::text, k.buys, v.take_id::text,
            waybill.moment_text(v.sent_at - interval '10 seconds'),
            waybill.moment_text(v.sent_at + 2 * v_longest)
        from waybill.batch_operations b
        cross join lateral (
            select distinct i.buys
            from waybill.bulk_items i
            where i.batch_id = p_batch_id
                and i.take_id = v.take_id
                and i.state = 'in_doubt'
            union
            select false
            where v.take_id is null) k
        where b.batch_id = p_batch_id;
end
$$;
revoke all on function waybill.doubts_of_bulk(text) from public;
