-- Deletes an address softly: nothing that reads shows it any more, and no
-- document of EasyPost brings it back.  Shipments keep what they show of it.  No
-- row: there is no such address.
create function api.remove_address(
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
    v_id uuid := waybill.find_address(p_ref);
    v_problem text := (
        select waybill.foreign_mode(a.mode, p_mode)
        from waybill.addresses a
        where a.id = v_id
            and a.deleted_at is null);
begin
    if v_problem is not null then
        return query select v_id, null::timestamptz, 403, v_problem;
        return;
    end if;
    perform waybill.begin_change(p_actor, p_request_id);
    return query
        update waybill.addresses a
        set deleted_at = now(),
            recorded_at = now()
        where a.id = v_id
            and a.deleted_at is null
        returning a.id, a.deleted_at, null::integer, null;
end
$$;
revoke all on function api.remove_address(text, text, text, text) from public;
grant execute on function api.remove_address(text, text, text, text)
to waybill_worker;
