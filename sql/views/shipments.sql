-- Shipments as lists show them, everything ready in the row, and the columns
-- that filters go by.
create view api.shipments as
    select s.id,
        s.created_at,
        s.status,
        s.mode,
        s.reference,
        s.carrier,
        s.service,
        s.batch_id,
        s.ready as "...",
        s.adjustment::text as adjustment,
        s.adjustment_count,
        s.extra_metadata,
        s.from_address,
        s.to_address,
        s.parcel,
        s.promised_at,
        s.promised_at < date_trunc('day', now() - interval '12 hours', 'UTC')
            and s.delivered_at is null
            and s.status in ('unknown', 'pre_transit', 'in_transit',
                'out_for_delivery', 'available_for_pickup') as is_late,
        s.status in ('failure', 'error', 'return_to_sender') as is_failed,
        s.updated_at,
        nullif(s.from_city, '') as from_city,
        nullif(s.from_state, '') as from_state,
        nullif(s.from_country, '') as from_country,
        nullif(s.to_city, '') as to_city,
        nullif(s.to_state, '') as to_state,
        nullif(s.to_country, '') as to_country
    from waybill.shipments s
    where s.deleted_at is null;
grant select on api.shipments to waybill_worker;
