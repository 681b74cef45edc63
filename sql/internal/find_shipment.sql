-- The key of a shipment by UUID, EasyPost id or tracking code (the newest that
-- has it); null when there is none, or it was deleted.
create or replace function waybill.find_shipment(p_ref text)
returns uuid
language plpgsql
stable
as $$
declare
    v_id uuid;
begin
    if p_ref ~* '^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$' then
        select s.id into v_id
        from waybill.shipments s
        where s.id = p_ref::uuid
            and s.deleted_at is null;
        return v_id;
    end if;
    select s.id into v_id
    from waybill.shipments s
    where s.easypost_id = p_ref
        and s.deleted_at is null;
    return coalesce(v_id, api.find_tracking_code(p_ref));
end
$$;
revoke all on function waybill.find_shipment(text) from public;
