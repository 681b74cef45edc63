-- Makes the answers ready that people look at most, those that are not: after a
-- merge, and on a new half day.  Under the lock of merging, or an older answer could
-- replace a newer; somebody else has it: they, or the next call, will do.  Not of a
-- mode with notes again, of which nobody would read it (api.ready_dashboards).
create or replace function waybill.make_dashboards()
returns void
language plpgsql
as $$
declare
    v_since timestamptz := waybill.half_day();
begin
    -- before that lock: who empties the table takes the two in this order, too
    lock table waybill.shipments in access share mode;
    if not pg_try_advisory_xact_lock(hashtextextended('waybill.merge', 0)) then
        return;
    end if;
    perform waybill.move_routes(); -- a day may have begun since the merge
    insert into waybill.dashboards as k (mode, days, since, body)
    select a.mode, p.days, v_since, waybill.dashboard_json(a.mode, p.days)
    from waybill.analytics_state a
    cross join (values (7), (30), (90)) as p (days)
    where not exists (
        select
        from waybill.dashboards d
        where d.mode = a.mode and d.days = p.days and d.since = v_since)
        and (
            select n.xid
            from waybill.shipment_deltas n
            where n.xid >= a.horizon
                and n.mode = a.mode
            order by n.xid
            limit 1) is null
    on conflict (mode, days) do update
    set (since, body) = (excluded.since, excluded.body);
end
$$;
revoke all on function waybill.make_dashboards() from public;
