-- The row of a shipment from its winning document, and from what its tracker,
-- batch and refund add.
create or replace function waybill.write_shipment(
    p_id uuid, p_key text, p_doc jsonb, p_mode text,
    p_updated_at timestamptz, p_richness integer, p_digest bigint)
returns void
language plpgsql
as $$
begin
    insert into waybill.shipments (id, easypost_id, created_at, mode,
        reference, from_address_id, to_address_id, return_address_id,
        buyer_address_id, parcel_id, customs_info_id, selected_rate_id,
        rates_data, base_cost, total_cost, insurance, currency, service,
        delivery_days, delivery_date, weight, is_return, order_id, label_url,
        purchased_at, promised_at, from_address, to_address, parcel,
        doc_status, doc_tracking_code, doc_carrier, doc_refund_status,
        doc_batch_id, doc_batch_status, status, tracking_code, carrier,
        tracker_id, est_delivery_date, signed_by, delivered_at,
        tracking_details, updated_at, refund_status, batch_id, batch_status,
        doc_updated_at, doc_richness, doc_digest)
    select p_id, p_key, c.created_at, c.mode, c.reference, c.from_address_id,
        c.to_address_id, c.return_address_id, c.buyer_address_id, c.parcel_id,
        c.customs_info_id, c.selected_rate_id, c.rates_data, c.base_cost,
        c.total_cost, c.insurance, c.currency, c.service, c.delivery_days,
        c.delivery_date, c.weight, c.is_return, c.order_id, c.label_url,
        c.purchased_at, c.promised_at, c.from_address, c.to_address, c.parcel,
        c.doc_status, c.doc_tracking_code, c.doc_carrier, c.doc_refund_status,
        c.doc_batch_id, c.doc_batch_status, s.status, s.tracking_code,
        s.carrier, s.tracker_id, s.est_delivery_date, s.signed_by,
        s.delivered_at, s.tracking_details, s.updated_at, s.refund_status,
        s.batch_id, s.batch_status, p_updated_at, p_richness, p_digest
    from waybill.shipment_columns(p_doc, p_mode, p_updated_at) c
    cross join lateral waybill.shipment_state(p_id, p_key, p_updated_at,
        c.doc_status, c.doc_tracking_code, c.doc_carrier, c.doc_refund_status,
        c.doc_batch_id, c.doc_batch_status) s
    on conflict (easypost_id) do update
    set (created_at, mode, reference, from_address_id, to_address_id,
        return_address_id, buyer_address_id, parcel_id, customs_info_id,
        selected_rate_id, rates_data, base_cost, total_cost, insurance,
        currency, service, delivery_days, delivery_date, weight, is_return,
        order_id, label_url, purchased_at, promised_at, from_address,
        to_address, parcel, doc_status, doc_tracking_code, doc_carrier,
        doc_refund_status, doc_batch_id, doc_batch_status, status,
        tracking_code, carrier, tracker_id, est_delivery_date, signed_by,
        delivered_at, tracking_details, updated_at, refund_status, batch_id,
        batch_status, doc_updated_at, doc_richness, doc_digest, recorded_at) =
        (excluded.created_at, excluded.mode, excluded.reference,
        excluded.from_address_id, excluded.to_address_id,
        excluded.return_address_id, excluded.buyer_address_id,
        excluded.parcel_id, excluded.customs_info_id,
        excluded.selected_rate_id, excluded.rates_data, excluded.base_cost,
        excluded.total_cost, excluded.insurance, excluded.currency,
        excluded.service, excluded.delivery_days, excluded.delivery_date,
        excluded.weight, excluded.is_return, excluded.order_id,
        excluded.label_url, excluded.purchased_at, excluded.promised_at,
        excluded.from_address, excluded.to_address, excluded.parcel,
        excluded.doc_status, excluded.doc_tracking_code, excluded.doc_carrier,
        excluded.doc_refund_status, excluded.doc_batch_id,
        excluded.doc_batch_status, excluded.status, excluded.tracking_code,
        excluded.carrier, excluded.tracker_id, excluded.est_delivery_date,
        excluded.signed_by, excluded.delivered_at, excluded.tracking_details,
        excluded.updated_at, excluded.refund_status, excluded.batch_id,
        excluded.batch_status, excluded.doc_updated_at, excluded.doc_richness,
        excluded.doc_digest, now());
end
$$;
