-- A currency code of three capitals; null for anything else.
create or replace function waybill.to_currency(p_value text)
returns text
language sql
immutable
parallel safe
as $$
    select case when p_value ~ '^[A-Z]{3}$' then p_value end
$$;
revoke all on function waybill.to_currency(text) from public;
