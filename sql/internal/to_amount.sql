-- A number from its JSON text that may be below zero (given back); null for anything
-- else.
create or replace function waybill.to_amount(p_value text)
returns numeric
language sql
immutable
parallel safe
as $$
    select case when left(p_value, 1) = '-'
        then -waybill.to_number(substr(p_value, 2))
        else waybill.to_number(p_value) end
$$;
revoke all on function waybill.to_amount(text) from public;
