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
    v_body json;
begin
    -- production counts when it has shipments, and so when it has a ready answer.  The
    -- first note, and not whether one exists, which may read all that was merged
    -- since the last vacuum
    select d.body into v_body
    from waybill.dashboards d
    where d.mode = coalesce(p_mode, 'production')
        and d.days = p_days
        and d.since = waybill.half_day()
        and (
            select n.xid
            from waybill.shipment_deltas n
            where n.xid >= d.horizon
                and n.mode = d.mode
            order by n.xid
            limit 1) is null;
    return case when v_body is not null then v_body
        when p_mode is null
            then api.dashboard(p_days, waybill.analytics_mode())
        else waybill.dashboard_json(p_mode, p_days) end;
end
$$;
revoke all on function api.dashboard(integer, text) from public;
grant execute on function api.dashboard(integer, text) to waybill_worker;
