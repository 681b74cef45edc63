-- The row of a known shipment from a newer document, and from what its tracker,
-- batch, refund and invoices add to it.
create or replace function waybill.update_shipment(
    p_id uuid, p_key text, p_doc jsonb, p_mode text,
    p_updated_at timestamptz, p_richness integer, p_digest bigint)
returns void
language plpgsql
as $$
begin
    update waybill.shipments k
    set (from_address_id, to_address_id, return_address_id, buyer_address_id,
        parcel_id, customs_info_id, from_address, to_address, return_address,
        buyer_address, parcel, customs_info, created_at, mode, reference,
        selected_rate_id, rates_data, base_cost, fees, adjustment,
        adjustment_count, total_cost, insurance, currency, service,
        delivery_days, delivery_date, weight, is_return,
        order_id, label_url, purchased_at, promised_at, doc_reference,
        doc_status,
        doc_tracking_code, doc_carrier, doc_refund_status, doc_batch_id,
        doc_batch_status, status, tracking_code, carrier, tracker_id,
        est_delivery_date, signed_by, delivered_at, tracking_details,
        updated_at, refund_status, batch_id, batch_status, doc_updated_at,
        doc_richness, doc_digest, recorded_at) =
        (l.from_address_id, l.to_address_id, l.return_address_id,
        l.buyer_address_id, l.parcel_id, l.customs_info_id, l.from_address,
        l.to_address, l.return_address, l.buyer_address, l.parcel,
        l.customs_info, c.created_at, c.mode,
        coalesce(k.own_reference, c.reference), c.selected_rate_id,
        c.rates_data, c.base_cost, c.fees, a.adjustment, a.adjustment_count,
        waybill.true_cost(c.base_cost, c.fees, s.refund_status, a.adjustment,
            a.adjustment_count), c.insurance, c.currency,
        c.service, c.delivery_days, c.delivery_date, c.weight, c.is_return,
        c.order_id, c.label_url, c.purchased_at, c.promised_at, c.reference,
        c.doc_status,
        c.doc_tracking_code, c.doc_carrier, c.doc_refund_status,
        c.doc_batch_id, c.doc_batch_status, s.status, s.tracking_code,
        s.carrier, s.tracker_id, s.est_delivery_date, s.signed_by,
        s.delivered_at, s.tracking_details, s.updated_at, s.refund_status,
        s.batch_id, s.batch_status, p_updated_at, p_richness, p_digest, now())
    from waybill.shipment_links(p_doc) l
    cross join waybill.shipment_columns(p_doc, p_mode, p_updated_at) c
    cross join lateral waybill.shipment_state(p_id, p_key, p_updated_at,
        c.doc_status, c.doc_tracking_code, c.doc_carrier, c.doc_refund_status,
        c.doc_batch_id, c.doc_batch_status) s
    cross join lateral waybill.adjustment_of(p_id, p_key, c.doc_tracking_code,
        c.mode, c.currency) a
    where k.id = p_id;
end
$$;
revoke all on function waybill.update_shipment(
    uuid, text, jsonb, text, timestamptz, integer, bigint)
from public;
