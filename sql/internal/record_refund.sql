-- One refund.  Gives the shipments that it touches, as far as they are known.
create or replace function waybill.record_refund(p_doc jsonb, p_mode text)
returns uuid[]
language plpgsql
as $$
declare
    v_id text := waybill.to_key(p_doc ->> 'id');
    v_shipment text := waybill.to_key(p_doc ->> 'shipment_id');
    v_code text := waybill.to_key(p_doc ->> 'tracking_code');
    v_carrier text := waybill.to_brief(p_doc ->> 'carrier', 200);
    v_mode text := waybill.to_mode(p_doc ->> 'mode', p_mode);
    -- submitted comes before every other state
    v record := waybill.version_of(p_doc,
        case when p_doc ->> 'status' = 'submitted' then 0 else 1 end);
    v_old_shipment text := (
        select r.shipment_easypost_id
        from waybill.refunds r
        where r.easypost_id = v_id);
begin
    insert into waybill.refunds as r (id, easypost_id, created_at, updated_at,
        mode, status, tracking_code, carrier, confirmation_number,
        shipment_easypost_id, doc_updated_at, doc_richness, doc_digest)
    values (waybill.easypost_uuid(waybill.to_time(p_doc ->> 'created_at'),
            v_id), v_id, v.created_at, v.updated_at, v_mode,
        waybill.to_brief(p_doc ->> 'status', 200), v_code, v_carrier,
        p_doc ->> 'confirmation_number', v_shipment,
        v.updated_at, v.richness, v.digest)
    on conflict (easypost_id) do update
    set (id, created_at, updated_at, mode, status, tracking_code, carrier,
        confirmation_number, shipment_easypost_id, doc_updated_at,
        doc_richness, doc_digest, recorded_at) =
        (excluded.id, excluded.created_at, excluded.updated_at, excluded.mode,
        excluded.status, excluded.tracking_code, excluded.carrier,
        excluded.confirmation_number, excluded.shipment_easypost_id,
        excluded.doc_updated_at, excluded.doc_richness, excluded.doc_digest,
        now())
    where (excluded.doc_updated_at, excluded.doc_richness, excluded.doc_digest)
        > (r.doc_updated_at, r.doc_richness, r.doc_digest);
    return array(
        select s.id
        from waybill.shipments s
        where s.easypost_id in (v_shipment, v_old_shipment));
end
$$;
revoke all on function waybill.record_refund(jsonb, text) from public;
