-- The items of bulk calls that are worked off behind their answer, in the order of
-- the request; what they are to become is not shown.
create view api.bulk_items as
    select i.id,
        i.batch_id,
        i.index,
        i.state as status,
        i.reference,
        i.shipment_id,
        i.tracking_code,
        i.error,
        i.attempts,
        i.created_at,
        i.sent_at,
        i.finished_at
    from waybill.bulk_items i;
grant select on api.bulk_items to waybill_worker;
