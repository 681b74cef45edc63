-- Changes what a person may change of a shipment: the fields of p_patch, which
-- were checked.  No row: there is no such shipment; a row with a status: why
-- nothing was changed.  Twice the same patch is one change.
create function api.amend_shipment(
    p_ref text, p_patch jsonb, p_mode text, p_actor text, p_request_id text)
returns table (id uuid, status integer, field text, problem text)
language plpgsql
security definer
set search_path = waybill, pg_temp
set timezone = 'UTC'
set plan_cache_mode = force_generic_plan
set enable_seqscan = off
as $$
declare
    v_id uuid := waybill.find_shipment(p_ref);
    v_old waybill.shipments;
    v_new waybill.shipments;
begin
    perform from waybill.shipments s
    where s.id = v_id
        and s.deleted_at is null
    for no key update;
    if not found then
        return;
    end if;
    -- the lock first, the look after it: two patches at once both count
    v_old := (select s from waybill.shipments s where s.id = v_id);
    v_new := waybill.patched_shipment(v_old, p_patch);
    return query
        select v_id, 403, null, m.problem
        from waybill.foreign_mode(v_old.mode, p_mode) as m (problem)
        where m.problem is not null
        union all
        select v_id, p.status, p.field, p.problem
        from waybill.shipment_patch_problems(v_old, v_new, p_patch) p;
    if found then
        return;
    end if;
    perform waybill.begin_change(p_actor, p_request_id);
    perform waybill.update_own_fields(v_new);
    return query select v_id, null::integer, null, null;
end
$$;
revoke all on function api.amend_shipment(text, jsonb, text, text, text)
from public;
grant execute on function api.amend_shipment(text, jsonb, text, text, text)
to waybill_worker;
