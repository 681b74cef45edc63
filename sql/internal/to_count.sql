-- A whole number not below zero from its JSON text, be it 3 or 3.0; null for anything else.
create or replace function waybill.to_count(p_value text)
returns integer
language sql
immutable
parallel safe
as $$
    select case when p_value ~ '^[0-9]{1,9}([.]0{1,9})?$'
        then p_value::numeric::integer end
$$;
revoke all on function waybill.to_count(text) from public;
