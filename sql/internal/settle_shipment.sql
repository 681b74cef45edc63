-- Brings one shipment up to its tracker, batch and refund.  Writes only when
-- something changed; a shipment that is not there, or has no document of
-- EasyPost, stays as it is.
create or replace function waybill.settle_shipment(p_id uuid)
returns void
language plpgsql
as $$
declare
    v record;
begin
    select s.easypost_id, s.doc_updated_at, s.doc_status, s.doc_tracking_code,
        s.doc_carrier, s.doc_refund_status, s.doc_batch_id, s.doc_batch_status,
        s.base_cost, s.total_cost, s.fees, s.refund_status
    into v
    from waybill.shipments s
    where s.id = p_id
    for no key update;
    if v.doc_status is null then
        return;
    end if;
    -- the lock first, the look after it: another transaction may just have
    -- written the tracker that counts
    update waybill.shipments s
    set (status, tracking_code, carrier, tracker_id, est_delivery_date,
        signed_by, delivered_at, tracking_details, updated_at,
        refund_status, total_cost, batch_id, batch_status, recorded_at) =
        (w.status, w.tracking_code, w.carrier, w.tracker_id,
        w.est_delivery_date, w.signed_by, w.delivered_at,
        w.tracking_details, w.updated_at, w.refund_status,
        -- of one recorded before fees were kept the sum is all there is,
        -- until a refund has taken it
        waybill.true_cost(case when v.fees is null
            and v.refund_status is distinct from 'refunded'
            then v.total_cost else v.base_cost end, v.fees,
            w.refund_status), w.batch_id,
        w.batch_status, now())
    from waybill.shipment_state(p_id, v.easypost_id, v.doc_updated_at,
        v.doc_status, v.doc_tracking_code, v.doc_carrier, v.doc_refund_status,
        v.doc_batch_id, v.doc_batch_status) w
    where s.id = p_id
        and (s.status, s.tracking_code, s.carrier, s.tracker_id,
            s.est_delivery_date, s.signed_by, s.delivered_at,
            s.tracking_details::text, s.updated_at, s.refund_status,
            s.batch_id, s.batch_status)
        is distinct from (w.status, w.tracking_code, w.carrier, w.tracker_id,
            w.est_delivery_date, w.signed_by, w.delivered_at,
            w.tracking_details::text, w.updated_at, w.refund_status,
            w.batch_id, w.batch_status);
end
$$;
revoke all on function waybill.settle_shipment(uuid) from public;
