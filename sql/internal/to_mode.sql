-- The mode of a document: its own, else that of the key it came with.
create or replace function waybill.to_mode(p_value text, p_mode text)
returns text
language sql
immutable
parallel safe
as $$
    select case
        when p_value in ('test', 'production') then p_value
        when p_mode in ('test', 'production') then p_mode
        else 'production' end
$$;
revoke all on function waybill.to_mode(text, text) from public;
