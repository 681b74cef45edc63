-- What a shipment's tracker, batch and refund add to what its own document
-- says.  The tracker knows more about the journey than the shipment; of batch
-- and refund the newer word counts.
create or replace function waybill.shipment_state(
    p_id uuid, p_key text, p_updated_at timestamptz, p_status text,
    p_code text, p_carrier text, p_refund_status text, p_batch_id text,
    p_batch_status text,
    out status text, out tracking_code text, out carrier text,
    out tracker_id uuid, out est_delivery_date timestamptz, out signed_by text,
    out delivered_at timestamptz, out tracking_details json,
    out updated_at timestamptz, out refund_status text, out batch_id text,
    out batch_status text)
language plpgsql
stable
as $$
declare
    v_count bigint;
    v_refunded_at timestamptz;
    v_batched_at timestamptz;
begin
    select t.status, coalesce(p_code, t.tracking_code),
        coalesce(p_carrier, t.carrier), t.id, t.est_delivery_date, t.signed_by,
        t.delivered_at, t.tracking_details, t.doc_updated_at, count(*) over ()
    into status, tracking_code, carrier, tracker_id, est_delivery_date,
        signed_by, delivered_at, tracking_details, updated_at, v_count
    from waybill.trackers t
    where t.shipment_id = p_id
    order by t.doc_updated_at desc, t.doc_richness desc, t.doc_digest desc
    limit 1;
    tracking_details := case when v_count > 1
        then waybill.joint_history(p_id) else tracking_details end;
    status := coalesce(status, p_status);
    tracking_code := coalesce(tracking_code, p_code);
    carrier := coalesce(carrier, p_carrier);
    updated_at := greatest(updated_at, p_updated_at);
    select r.doc_updated_at, r.status, b.doc_updated_at, b.batch_id,
        b.batch_status
    into v_refunded_at, refund_status, v_batched_at, batch_id, batch_status
    from (values (p_key)) as k (easypost_id)
    left join lateral (
        select f.doc_updated_at, f.status
        from waybill.refunds f
        where f.shipment_easypost_id = k.easypost_id
        order by f.doc_updated_at desc, f.doc_richness desc, f.doc_digest desc
        limit 1) r on true
    left join lateral (
        select o.doc_updated_at, i.batch_id, i.batch_status
        from waybill.batch_items i
        join waybill.batch_operations o on o.batch_id = i.batch_id
        where i.shipment_easypost_id = k.easypost_id
        order by o.doc_updated_at desc, i.batch_id desc
        limit 1) b on true;
    if v_refunded_at is null or (v_refunded_at < p_updated_at
        and p_refund_status is not null)
    then
        refund_status := p_refund_status;
    end if;
    if v_batched_at is null or v_batched_at < p_updated_at then
        batch_id := p_batch_id;
        batch_status := p_batch_status;
    end if;
end
$$;
revoke all on function waybill.shipment_state(
    uuid, text, timestamptz, text, text, text, text, text, text)
from public;
