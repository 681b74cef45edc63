-- The dashboards that are ready and true: of now, and with nothing unmerged.  Asked for
-- the first note, and not for whether one exists, which may read all that was merged
-- since the last vacuum.
create view api.ready_dashboards as
    select d.mode,
        d.days,
        d.body
    from waybill.dashboards d
    where d.since = waybill.half_day()
        and (
            select n.xid
            from waybill.shipment_deltas n
            where n.xid >= d.horizon
                and n.mode = d.mode
            order by n.xid
            limit 1) is null;
grant select on api.ready_dashboards to waybill_worker;
