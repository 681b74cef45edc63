-- Deletes a shipment softly: nothing that reads shows it any more, and no
-- document of EasyPost brings it back.  No row: there is no such shipment.
create function api.remove_shipment(
    p_ref text, p_mode text, p_actor text, p_request_id text)
returns table (id uuid, deleted_at timestamptz, status integer, problem text)
language plpgsql
security definer
set search_path = waybill, pg_temp
set timezone = 'UTC'
set plan_cache_mode = force_generic_plan
set enable_seqscan = off
as $$
declare
    v_id uuid := waybill.find_shipment(p_ref);
    v_problem text := (
        select waybill.foreign_mode(s.mode, p_mode)
        from waybill.shipments s
        where s.id = v_id
            and s.deleted_at is null);
begin
    if v_problem is not null then
        return query select v_id, null::timestamptz, 403, v_problem;
        return;
    end if;
    perform waybill.begin_change(p_actor, p_request_id);
    return query
        update waybill.shipments s
        set deleted_at = now(),
            recorded_at = now()
        where s.id = v_id
            and s.deleted_at is null
        returning s.id, s.deleted_at, null::integer, null;
end
$$;
revoke all on function api.remove_shipment(text, text, text, text) from public;
grant execute on function api.remove_shipment(text, text, text, text)
to waybill_worker;
