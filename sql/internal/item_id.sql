-- The key of the nth thing that one call makes: a UUIDv7 that has its time and
-- its random bits from the call and counts in between, so that a call that is
-- made again makes nothing twice.
create or replace function waybill.item_id(p_call uuid, p_number integer)
returns uuid
language sql
immutable
parallel safe
as $$
    select (left(p_call::text, 14) || '7' || lpad(to_hex(p_number), 3, '0')
        || substr(p_call::text, 19))::uuid
$$;
revoke all on function waybill.item_id(uuid, integer) from public;
