-- Text for an indexed column: cut when longer than an index entry may be (the
-- whole stays in the document).
create or replace function waybill.to_brief(p_value text, p_bytes integer)
returns text
language sql
immutable
parallel safe
as $$
    select case when octet_length(p_value) <= p_bytes
        then p_value else left(p_value, p_bytes / 4) end
$$;
revoke all on function waybill.to_brief(text, integer) from public;
