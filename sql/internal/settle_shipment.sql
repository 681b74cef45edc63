-- Brings one shipment up to its tracker, batch and refund.  Writes only when
-- something changed; a shipment that is not there, or has no document of
-- EasyPost, stays as it is.
create or replace function waybill.settle_shipment(p_id uuid)
returns void
language plpgsql
as $$
declare
    v record;
    w record;
begin
    select s.easypost_id, s.doc_updated_at, s.doc_status, s.doc_tracking_code,
        s.doc_carrier, s.doc_refund_status, s.doc_batch_id, s.doc_batch_status,
        s.status, s.tracking_code, s.carrier, s.tracker_id,
        s.est_delivery_date, s.signed_by, s.delivered_at, s.tracking_details,
        s.updated_at, s.refund_status, s.batch_id, s.batch_status
    into v
    from waybill.shipments s
    where s.id = p_id
    for no key update;
    if v.doc_status is null then
        return;
    end if;
    -- the lock first, the look after it: another transaction may just have
    -- written the tracker that counts
    w := waybill.shipment_state(p_id, v.easypost_id, v.doc_updated_at,
        v.doc_status, v.doc_tracking_code, v.doc_carrier, v.doc_refund_status,
        v.doc_batch_id, v.doc_batch_status);
    if (v.status, v.tracking_code, v.carrier, v.tracker_id,
            v.est_delivery_date, v.signed_by, v.delivered_at,
            v.tracking_details::text, v.updated_at, v.refund_status,
            v.batch_id, v.batch_status)
        is distinct from (w.status, w.tracking_code, w.carrier, w.tracker_id,
            w.est_delivery_date, w.signed_by, w.delivered_at,
            w.tracking_details::text, w.updated_at, w.refund_status,
            w.batch_id, w.batch_status)
    then
        update waybill.shipments s
        set (status, tracking_code, carrier, tracker_id, est_delivery_date,
            signed_by, delivered_at, tracking_details, updated_at,
            refund_status, batch_id, batch_status, recorded_at) =
            (w.status, w.tracking_code, w.carrier, w.tracker_id,
            w.est_delivery_date, w.signed_by, w.delivered_at,
            w.tracking_details, w.updated_at, w.refund_status, w.batch_id,
            w.batch_status, now())
        where s.id = p_id;
    end if;
end
$$;
revoke all on function waybill.settle_shipment(uuid) from public;
