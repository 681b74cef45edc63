-- Tracking events with the code that they were tracked by.
create view api.events as
    select e.id,
        e.shipment_id,
        t.tracking_code,
        t.carrier,
        t.mode,
        e.status,
        e.status_detail,
        e.message,
        e.description,
        e.carrier_status,
        e.source,
        e.tracking_location,
        e.event_datetime,
        e.created_at
    from waybill.shipment_events e
    left join waybill.trackers t on t.id = e.tracker_id;
grant select on api.events to waybill_worker;
