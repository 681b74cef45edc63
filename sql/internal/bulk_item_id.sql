-- The key of an item of a bulk call, from that of the call and its place in there:
-- the newest call comes first and within it the first item, as lists go.
create or replace function waybill.bulk_item_id(p_call uuid, p_index integer)
returns uuid
language sql
immutable
parallel safe
as $$
    select (left(p_call::text, 24) || lpad(to_hex(65535 - p_index), 4, '0')
        || right(p_call::text, 8))::uuid
$$;
revoke all on function waybill.bulk_item_id(uuid, integer) from public;
