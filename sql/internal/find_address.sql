-- The key of an address by UUID or EasyPost id; null when there is none, or it
-- was deleted.
create or replace function waybill.find_address(p_ref text)
returns uuid
language plpgsql
stable
as $$
declare
    v_id uuid;
begin
    if p_ref ~* '^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$' then
        select a.id into v_id
        from waybill.addresses a
        where a.id = p_ref::uuid
            and a.deleted_at is null;
    elsif p_ref is not null then
        select a.id into v_id
        from waybill.addresses a
        where a.easypost_id = p_ref
            and a.deleted_at is null;
    end if;
    return v_id;
end
$$;
revoke all on function waybill.find_address(text) from public;
