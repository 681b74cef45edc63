-- Text that identifies something: an id, a tracking code.  Never cut, because
-- a part of it would name something else: null when empty or absurdly long.
create or replace function waybill.to_key(p_value text)
returns text
language sql
immutable
parallel safe
as $$
    select case when octet_length(p_value) between 1 and 200
        then p_value end
$$;
revoke all on function waybill.to_key(text) from public;
