-- The live key with this SHA-256, or the one that a session with it stands for,
-- which may only read; no row: unknown, revoked or expired.  With the owner's
-- rights, so that a worker can test a key but never list them.
create function api.find_key(p_sha256 bytea)
returns table (id uuid, name text, mode text, scopes text,
    requests_per_minute integer, has_spending_limit boolean)
language sql
stable
security definer
set search_path = waybill, pg_temp
begin atomic
    select k.id, k.name, k.mode, array_to_string(k.scopes, ','),
        k.requests_per_minute, k.daily_spending_limit is not null
    from waybill.api_keys k
    where k.key_sha256 = p_sha256
        and k.revoked_at is null
        and (k.expires_at is null or k.expires_at > now())
    union all
    select k.id, k.name, k.mode, 'read', k.requests_per_minute,
        k.daily_spending_limit is not null
    from waybill.sessions s
    join waybill.api_keys k on k.id = s.key_id
    where s.token_sha256 = p_sha256
        and s.expires_at > now()
        and 'read' = any (k.scopes)
        and k.revoked_at is null
        and (k.expires_at is null or k.expires_at > now());
end;
revoke all on function api.find_key(bytea) from public;
grant execute on function api.find_key(bytea) to waybill_worker;
