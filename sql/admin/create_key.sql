-- Stores a new gateway key: its SHA-256 and its first characters.  scopes is a
-- list with commas: read,write,admin.
create function admin.create_key(
    p_sha256 bytea, p_prefix text, p_name text, p_mode text, p_scopes text)
returns table (id uuid, prefix text, name text, mode text, scopes text,
    created_at timestamptz)
language plpgsql
security definer
set search_path = waybill, pg_temp
as $$
begin
    return query
        insert into waybill.api_keys as k (key_sha256, prefix, name, mode,
            scopes)
        values (p_sha256, p_prefix, p_name, p_mode,
            string_to_array(replace(p_scopes, ' ', ''), ','))
        returning k.id, k.prefix, k.name, k.mode,
            array_to_string(k.scopes, ','), k.created_at;
end
$$;
revoke all on function admin.create_key(bytea, text, text, text, text)
from public;
