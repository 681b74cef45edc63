-- The dashboard's figures of a mode (null: the one that analytics count) and a
-- number of days: the ready answer while it is true, else as it is now.
create function api.dashboard(p_days integer, p_mode text)
returns json
language plpgsql
stable
security definer
set search_path = waybill, pg_temp
as $$
declare
    v_mode text := coalesce(p_mode, waybill.analytics_mode());
    v_body json;
begin
    select d.body into v_body
    from waybill.dashboards d
    join waybill.analytics_state a on a.mode = d.mode
    where d.mode = v_mode
        and d.days = p_days
        and d.since = waybill.half_day()
        and not exists (
            select
            from waybill.shipment_deltas n
            where n.xid >= a.horizon
                and n.mode = d.mode);
    return coalesce(v_body, waybill.dashboard_json(v_mode, p_days));
end
$$;
revoke all on function api.dashboard(integer, text) from public;
grant execute on function api.dashboard(integer, text) to waybill_worker;
