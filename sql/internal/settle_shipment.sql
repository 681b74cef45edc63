-- Brings one shipment up to its tracker, batch and refund; to its invoices, too, when
-- p_with_invoices, which who writes no more than a tracker need not look for.  Writes
-- only when something changed; a shipment that is not there, or has no document of
-- EasyPost, stays as it is.
create or replace function waybill.settle_shipment(
    p_id uuid, p_with_invoices boolean)
returns void
language plpgsql
as $$
declare
    v record;
    v_rate numeric;
begin
    select s.easypost_id, s.doc_updated_at, s.doc_status, s.doc_tracking_code,
        s.doc_carrier, s.doc_refund_status, s.doc_batch_id, s.doc_batch_status,
        s.mode, s.currency, s.base_cost, s.total_cost, s.fees,
        s.refund_status, s.adjustment, s.adjustment_count
    into v
    from waybill.shipments s
    where s.id = p_id
    for no key update;
    if v.doc_status is null then
        return;
    end if;
    v_rate := waybill.told_rate(v.base_cost, v.fees, v.refund_status,
        v.total_cost, v.adjustment);
    -- the lock first, the look after it: another transaction may just have
    -- written the invoice or the tracker that counts
    if p_with_invoices then
        select a.adjustment, a.adjustment_count
        into v.adjustment, v.adjustment_count
        from waybill.adjustment_of(p_id, v.easypost_id, v.doc_tracking_code,
            v.mode, v.currency) a;
    end if;
    update waybill.shipments s
    set (status, tracking_code, carrier, tracker_id, est_delivery_date,
        signed_by, delivered_at, tracking_details, updated_at, refund_status,
        adjustment, adjustment_count, total_cost, batch_id, batch_status,
        recorded_at) =
        (w.status, w.tracking_code, w.carrier, w.tracker_id,
        w.est_delivery_date, w.signed_by, w.delivered_at, w.tracking_details,
        w.updated_at, w.refund_status, v.adjustment, v.adjustment_count,
        waybill.true_cost(v_rate, v.fees, w.refund_status, v.adjustment,
            v.adjustment_count), w.batch_id, w.batch_status, now())
    from waybill.shipment_state(p_id, v.easypost_id, v.doc_updated_at,
        v.doc_status, v.doc_tracking_code, v.doc_carrier, v.doc_refund_status,
        v.doc_batch_id, v.doc_batch_status) w
    where s.id = p_id
        and (s.status, s.tracking_code, s.carrier, s.tracker_id,
            s.est_delivery_date, s.signed_by, s.delivered_at,
            s.tracking_details::text, s.updated_at, s.refund_status,
            s.adjustment, s.adjustment_count, s.batch_id, s.batch_status)
        is distinct from (w.status, w.tracking_code, w.carrier, w.tracker_id,
            w.est_delivery_date, w.signed_by, w.delivered_at,
            w.tracking_details::text, w.updated_at, w.refund_status,
            v.adjustment, v.adjustment_count, w.batch_id, w.batch_status);
end
$$;
revoke all on function waybill.settle_shipment(uuid, boolean) from public;
