-- Trackers, with or without a shipment of ours.
create view api.trackers as
    select t.id,
        t.easypost_id,
        t.tracking_code,
        t.carrier,
        t.status,
        t.mode,
        t.est_delivery_date,
        t.delivered_at,
        t.created_at,
        t.updated_at,
        t.tracking_details as events
    from waybill.trackers t;
grant select on api.trackers to waybill_worker;
