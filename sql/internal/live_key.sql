-- The live key with this id or this prefix, locked; null: there is none.  A prefix
-- that several live keys share is refused.
create or replace function waybill.live_key(p_ref text)
returns uuid
language plpgsql
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
    return v_ids[1];
end
$$;
revoke all on function waybill.live_key(text) from public;
