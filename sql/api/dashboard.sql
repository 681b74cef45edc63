-- The dashboard's figures of a mode (null: the one that analytics count) and a
-- number of days: the ready answer if there is one, else as it is now.
create function api.dashboard(p_days integer, p_mode text)
returns json
language plpgsql
stable
security definer
set search_path = waybill, pg_temp
as $$
declare
    v_body json;
begin
    -- production counts when it has shipments
    select r.body into v_body
    from api.ready_dashboards r
    where r.mode = coalesce(p_mode, 'production')
        and r.days = p_days
        and (p_mode is not null or r.has_shipments);
    return case when v_body is not null then v_body
        when p_mode is null
            then api.dashboard(p_days, waybill.analytics_mode())
        else waybill.dashboard_json(p_mode, p_days) end;
end
$$;
revoke all on function api.dashboard(integer, text) from public;
grant execute on function api.dashboard(integer, text) to waybill_worker;
