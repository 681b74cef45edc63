-- The key of an address that comes with the nth shipment of a call, in one of
-- its four roles; null where none comes.
create or replace function waybill.address_key(
    p_call uuid, p_item bigint, p_role integer, p_address jsonb)
returns uuid
language sql
immutable
parallel safe
as $$
    select case when jsonb_typeof(p_address) = 'object'
        then waybill.item_id(p_call, (p_item::integer - 1) * 4 + p_role) end
$$;
revoke all on function waybill.address_key(uuid, bigint, integer, jsonb)
from public;
