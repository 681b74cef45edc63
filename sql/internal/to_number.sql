-- A number not below zero from its JSON text; null for anything else, so that
-- no document can fail in a cast.
create or replace function waybill.to_number(p_value text)
returns numeric
language sql
immutable
parallel safe
as $$
    select case when p_value ~ '^[0-9]{1,12}([.][0-9]{1,12})?$'
        then p_value::numeric end
$$;
revoke all on function waybill.to_number(text) from public;
