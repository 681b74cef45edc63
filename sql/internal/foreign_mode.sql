-- Why a key of one mode may not write what belongs to the other; null: it may.
create or replace function waybill.foreign_mode(p_mode text, p_key_mode text)
returns text
language sql
immutable
parallel safe
as $$
    select case when p_mode <> p_key_mode then format(
        'This belongs to mode %s, and the key to %s.', p_mode, p_key_mode) end
$$;
revoke all on function waybill.foreign_mode(text, text) from public;
