-- The key of a shipment by UUID, EasyPost id or tracking code (the newest that
-- has it); null when there is none.
-- A function of its own, because one statement with all three ways looks so much
-- cheaper with the value known that PostgreSQL plans it anew for each request,
-- which takes longer than the read.  offset 0: looked up by the code, never
-- along the dates, whatever the statistics say.
create function api.find_shipment(p_ref text)
returns uuid
language plpgsql
stable
set plan_cache_mode = force_generic_plan
as $$
declare
    v_id uuid;
begin
    if p_ref ~* '^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$' then
        return p_ref::uuid;
    end if;
    select k.id into v_id
    from api.shipment_rows k
    where k.easypost_id = p_ref;
    if not found then
        select c.id into v_id
        from (
            select k.id, k.created_at
            from api.shipment_rows k
            where k.tracking_code = p_ref
            offset 0) c
        order by c.created_at desc, c.id desc
        limit 1;
    end if;
    return v_id;
end
$$;
revoke all on function api.find_shipment(text) from public;
grant execute on function api.find_shipment(text) to waybill_worker;
