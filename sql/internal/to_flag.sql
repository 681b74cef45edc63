-- A truth value from its JSON text; null for anything else.
create or replace function waybill.to_flag(p_value text)
returns boolean
language sql
immutable
parallel safe
as $$
    select case p_value when 'true' then true when 'false' then false end
$$;
revoke all on function waybill.to_flag(text) from public;
