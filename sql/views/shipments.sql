-- Shipments as lists show them; addresses and parcel are ready in the row.
create view api.shipments as
    select s.id,
        s.easypost_id,
        s.tracking_code,
        s.status,
        s.mode,
        s.reference,
        s.carrier,
        s.service,
        s.base_cost::text as base_cost,
        s.total_cost::text as total_cost,
        s.currency,
        s.delivery_days,
        s.delivery_date,
        s.est_delivery_date,
        s.purchased_at,
        s.delivered_at,
        s.signed_by,
        s.weight,
        s.batch_id,
        s.batch_status,
        s.refund_status,
        s.label_url,
        s.extra_metadata,
        s.created_at,
        s.updated_at,
        s.from_address,
        s.to_address,
        s.parcel
    from waybill.shipments s
    where s.deleted_at is null;
grant select on api.shipments to waybill_worker;
