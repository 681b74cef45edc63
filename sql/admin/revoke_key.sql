-- Revokes the live key with this id or this prefix.  No row: there is none; a
-- prefix that several live keys share is refused.
create function admin.revoke_key(p_ref text)
returns table (id uuid, prefix text, name text, revoked_at timestamptz)
language plpgsql
security definer
set search_path = waybill, pg_temp
as $$
declare
    v_id uuid := waybill.live_key(p_ref);
begin
    return query
        update waybill.api_keys k
        set revoked_at = now()
        where k.id = v_id
        returning k.id, k.prefix, k.name, k.revoked_at;
end
$$;
revoke all on function admin.revoke_key(text) from public;
