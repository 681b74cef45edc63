-- The items that a round has taken and not told of.
create or replace function waybill.taken_bulk(p_take uuid)
returns table (task text, batch_id text, mode text, request_id text,
    index integer, request text, buys boolean, take text, since text,
    until text)
language sql
stable
as $$
    select 'send', i.batch_id, b.mode, b.parameters ->> 'request_id',
        i.index, i.request::text, i.buys, i.take_id::text, null::text,
        null::text
    from waybill.batch_operations b
    join waybill.bulk_items i on i.batch_id = b.batch_id
    where b.wait_until is not null
        and i.take_id = p_take
        and i.state = 'sending'
    order by i.id desc
$$;
revoke all on function waybill.taken_bulk(uuid) from public;
