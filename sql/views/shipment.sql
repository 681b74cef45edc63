-- One shipment with all that belongs to it, and the columns that it is found and
-- tracked by.
create view api.shipment as
    select s.id,
        s.created_at,
        s.easypost_id,
        s.tracking_code,
        s.status,
        s.carrier,
        s.service,
        s.est_delivery_date,
        s.delivered_at,
        s.updated_at,
        s.ready as "...",
        s.adjustment::text as adjustment,
        s.adjustment_count,
        s.from_address_id,
        s.to_address_id,
        s.return_address_id,
        s.buyer_address_id,
        s.parcel_id,
        s.customs_info_id,
        s.extra_metadata,
        s.from_address,
        s.to_address,
        case when s.return_address_id = s.from_address_id
            then s.from_address else s.return_address end as return_address,
        case when s.buyer_address_id = s.to_address_id
            then s.to_address else s.buyer_address end as buyer_address,
        s.parcel,
        s.customs_info,
        coalesce(s.rates_data, '[]') as rates,
        coalesce(s.tracking_details, '[]') as events
    from waybill.shipments s
    where s.deleted_at is null;
grant select on api.shipment to waybill_worker;
