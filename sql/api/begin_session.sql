-- Begins a session of half a day for a live key with the scope read, and takes old
-- ones away; no row: there is no such key.
create function api.begin_session(p_key_sha256 bytea, p_token_sha256 bytea)
returns table (id uuid, name text, mode text)
language plpgsql
security definer
set search_path = waybill, pg_temp
as $$
#variable_conflict use_column
begin
    delete from waybill.sessions s
    where s.expires_at < now();
    return query
    with begun as (
        insert into waybill.sessions (token_sha256, key_id, expires_at)
        select p_token_sha256, k.id, least(k.expires_at,
            now() + interval '12 hours')
        from waybill.api_keys k
        where k.key_sha256 = p_key_sha256
            and 'read' = any (k.scopes)
            and k.revoked_at is null
            and (k.expires_at is null or k.expires_at > now())
        returning key_id
    )
    select k.id, k.name, k.mode
    from begun b
    join waybill.api_keys k on k.id = b.key_id;
end
$$;
revoke all on function api.begin_session(bytea, bytea) from public;
grant execute on function api.begin_session(bytea, bytea) to waybill_worker;
