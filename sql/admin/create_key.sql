-- Stores a new gateway key: its SHA-256 and its first characters.  scopes is a
-- list with commas: read,write,admin.  A limit that is null or 'none' is none.
create function admin.create_key(
    p_sha256 bytea, p_prefix text, p_name text, p_mode text, p_scopes text,
    p_rate_limit text, p_spending_limit text, p_expires_at text)
returns table (id uuid, prefix text, name text, mode text, scopes text,
    created_at timestamptz)
language plpgsql
security definer
set search_path = waybill, pg_temp
set timezone = 'UTC'
as $$
begin
    return query
        insert into waybill.api_keys as k (key_sha256, prefix, name, mode,
            scopes, requests_per_minute, daily_spending_limit, expires_at)
        values (p_sha256, p_prefix, p_name, p_mode,
            string_to_array(replace(p_scopes, ' ', ''), ','),
            nullif(p_rate_limit, 'none')::integer,
            nullif(p_spending_limit, 'none')::numeric,
            nullif(p_expires_at, 'none')::timestamptz)
        returning k.id, k.prefix, k.name, k.mode,
            array_to_string(k.scopes, ','), k.created_at;
end
$$;
revoke all on function admin.create_key(
    bytea, text, text, text, text, text, text, text) from public;
