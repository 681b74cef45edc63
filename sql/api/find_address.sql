-- The key of an address by UUID or EasyPost id; null when there is none, or it
-- was deleted.
create function api.find_address(p_ref text)
returns uuid
language plpgsql
stable
set plan_cache_mode = force_generic_plan
as $$
declare
    v_id uuid;
begin
    if p_ref ~* '^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$' then
        select a.id into v_id
        from api.address_rows a
        where a.id = p_ref::uuid;
    elsif p_ref is not null then
        select a.id into v_id
        from api.address_rows a
        where a.easypost_id = p_ref;
    end if;
    return v_id;
end
$$;
revoke all on function api.find_address(text) from public;
grant execute on function api.find_address(text) to waybill_worker;
