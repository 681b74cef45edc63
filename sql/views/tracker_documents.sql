-- A tracker as EasyPost would show it, but for its fees, which are not kept.
create view api.tracker_documents as
    select t.tracking_code,
        t.carrier,
        t.status,
        t.mode,
        t.created_at,
        t.recorded_at,
        json_build_object(
            'id', t.easypost_id,
            'object', 'Tracker',
            'mode', t.mode,
            'tracking_code', t.tracking_code,
            'status', t.status,
            'status_detail', t.status_detail,
            'created_at', to_char(t.created_at at time zone 'UTC',
                'YYYY-MM-DD"T"HH24:MI:SS"Z"'),
            'updated_at', to_char(t.updated_at at time zone 'UTC',
                'YYYY-MM-DD"T"HH24:MI:SS"Z"'),
            'signed_by', t.signed_by,
            'weight', t.weight,
            'est_delivery_date', to_char(t.est_delivery_date
                at time zone 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS"Z"'),
            'shipment_id', t.shipment_easypost_id,
            'carrier', t.carrier,
            'tracking_details', coalesce(t.tracking_details, '[]'),
            'carrier_detail', t.carrier_detail,
            'finalized', t.finalized,
            'is_return', t.is_return,
            'public_url', t.public_url) as document
    from waybill.trackers t;
grant select on api.tracker_documents to waybill_worker;
