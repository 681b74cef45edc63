-- Shipments, newest first.  Every filter is optional: called with a plan of its
-- own for the values at hand, the absent ones vanish from it.
create function api.shipments(
    p_limit integer, p_offset integer, p_after_created_at timestamptz,
    p_after_id uuid, p_carrier text, p_service text, p_status text,
    p_date_from timestamptz, p_date_to timestamptz, p_batch_id text,
    p_mode text, p_reference text)
returns table (id uuid, easypost_id text, tracking_code text, status text,
    mode text, reference text, carrier text, service text, base_cost text,
    total_cost text, currency text, delivery_days integer,
    delivery_date timestamptz, est_delivery_date timestamptz,
    purchased_at timestamptz, delivered_at timestamptz, signed_by text,
    weight numeric, batch_id text, batch_status text, refund_status text,
    label_url text, extra_metadata jsonb, created_at timestamptz,
    updated_at timestamptz, from_address json, to_address json, parcel json)
language sql
stable
begin atomic
    select s.id, s.easypost_id, s.tracking_code, s.status, s.mode, s.reference,
        s.carrier, s.service, s.base_cost, s.total_cost, s.currency,
        s.delivery_days, s.delivery_date, s.est_delivery_date, s.purchased_at,
        s.delivered_at, s.signed_by, s.weight, s.batch_id, s.batch_status,
        s.refund_status, s.label_url, s.extra_metadata, s.created_at,
        s.updated_at, s.from_address, s.to_address, s.parcel
    from api.shipment_rows s
    where (p_after_created_at is null
            or (s.created_at, s.id) < (p_after_created_at, p_after_id))
        and (p_carrier is null or s.carrier = p_carrier)
        and (p_service is null or s.service = p_service)
        and (p_status is null or s.status = p_status)
        and (p_date_from is null or s.created_at >= p_date_from)
        and (p_date_to is null or s.created_at < p_date_to)
        and (p_batch_id is null or s.batch_id = p_batch_id)
        and (p_mode is null or s.mode = p_mode)
        and (p_reference is null or s.reference = p_reference)
    order by s.created_at desc, s.id desc
    limit p_limit
    offset p_offset;
end;
revoke all on function api.shipments(
    integer, integer, timestamptz, uuid, text, text, text, timestamptz,
    timestamptz, text, text, text) from public;
grant execute on function api.shipments(
    integer, integer, timestamptz, uuid, text, text, text, timestamptz,
    timestamptz, text, text, text) to waybill_worker;
