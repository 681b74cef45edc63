-- Revokes the live key with this id or this prefix.  No row: there is none; a
-- prefix that several live keys share is refused.
create function admin.revoke_key(p_ref text)
returns table (id uuid, prefix text, name text, revoked_at timestamptz)
language plpgsql
security definer
set search_path = waybill, pg_temp
as $$
declare
    v_ids uuid[] := array(
        select k.id
        from waybill.api_keys k
        where k.revoked_at is null
            and p_ref in (k.id::text, k.prefix)
        for update);
begin
    if cardinality(v_ids) > 1 then
        raise sqlstate 'PT409' using message =
            'several live keys begin with this prefix: give the id';
    end if;
    return query
        update waybill.api_keys k
        set revoked_at = now()
        where k.id = any (v_ids)
        returning k.id, k.prefix, k.name, k.revoked_at;
end
$$;
revoke all on function admin.revoke_key(text) from public;
