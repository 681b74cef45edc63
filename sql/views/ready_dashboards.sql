-- The dashboards that are ready and true: of now, and with nothing unmerged.  Asked for
-- the first note, and not for whether one exists, which may read all that was merged
-- since the last vacuum.
create view api.ready_dashboards as
    select d.mode,
        d.days,
        a.shipments > 0 as has_shipments,
        d.body
    from waybill.analytics_state a
    join waybill.dashboards d on d.mode = a.mode
    where d.since = waybill.half_day()
        and (
            select n.xid
            from waybill.shipment_deltas n
            where n.xid >= a.horizon
                and n.mode = a.mode
            order by n.xid
            limit 1) is null;
grant select on api.ready_dashboards to waybill_worker;
