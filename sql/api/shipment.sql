-- One shipment with all that belongs to it, by UUID, EasyPost id or tracking
-- code (the newest that has it).  No row: not found.
create function api.shipment(p_ref text)
returns table (id uuid, easypost_id text, tracking_code text, status text,
    mode text, reference text, carrier text, service text, base_cost text,
    total_cost text, currency text, insurance text, delivery_days integer,
    delivery_date timestamptz, est_delivery_date timestamptz,
    promised_at timestamptz, purchased_at timestamptz,
    delivered_at timestamptz, signed_by text, weight numeric,
    is_return boolean, order_id text, batch_id text, batch_status text,
    refund_status text, from_address_id uuid, to_address_id uuid,
    return_address_id uuid, buyer_address_id uuid, parcel_id uuid,
    customs_info_id uuid, selected_rate_id text, tracker_id uuid,
    label_url text, extra_metadata jsonb, created_at timestamptz,
    updated_at timestamptz, from_address json, to_address json,
    return_address json, buyer_address json, parcel json, customs_info json,
    rates json, events json)
language sql
stable
begin atomic
    select s.id, s.easypost_id, s.tracking_code, s.status, s.mode, s.reference,
        s.carrier, s.service, s.base_cost, s.total_cost, s.currency,
        s.insurance, s.delivery_days, s.delivery_date, s.est_delivery_date,
        s.promised_at, s.purchased_at, s.delivered_at, s.signed_by, s.weight,
        s.is_return, s.order_id, s.batch_id, s.batch_status, s.refund_status,
        s.from_address_id, s.to_address_id, s.return_address_id,
        s.buyer_address_id, s.parcel_id, s.customs_info_id, s.selected_rate_id,
        s.tracker_id, s.label_url, s.extra_metadata, s.created_at,
        s.updated_at, s.from_address, s.to_address,
        case when s.return_address_id = s.from_address_id
            then s.from_address else s.return_address end,
        case when s.buyer_address_id = s.to_address_id
            then s.to_address else s.buyer_address end,
        s.parcel, s.customs_info,
        coalesce(s.rates_data, '[]'), coalesce(s.tracking_details, '[]')
    from api.shipment_rows s
    where s.id = api.find_shipment(p_ref);
end;
revoke all on function api.shipment(text) from public;
grant execute on function api.shipment(text) to waybill_worker;
