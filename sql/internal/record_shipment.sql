-- One shipment, its addresses, parcel, customs and tracker being written
-- already.  Gives other shipments that lost a tracker or an invoice to this one.
create or replace function waybill.record_shipment(
    p_doc jsonb, p_mode text, p_id uuid)
returns uuid[]
language plpgsql
as $$
declare
    v_key text := waybill.to_key(p_doc ->> 'id');
    v_code text := waybill.to_key(p_doc ->> 'tracking_code');
    v_new record := waybill.version_of(p_doc,
        case when jsonb_typeof(p_doc -> 'selected_rate') = 'object'
            then 10 else 0 end
        + case when p_doc ->> 'refund_status' is null then 0
            when p_doc ->> 'refund_status' = 'submitted' then 1 else 2 end);
    v_old record;
    v_is_new boolean;
begin
    select s.doc_updated_at, s.doc_richness, s.doc_digest,
        s.doc_tracking_code, s.doc_carrier
    into v_old
    from waybill.shipments s
    where s.id = p_id;
    v_is_new := not found;
    if not v_is_new and (v_new.updated_at, v_new.richness, v_new.digest)
        <= (v_old.doc_updated_at, v_old.doc_richness, v_old.doc_digest)
    then
        perform waybill.settle_shipment(p_id, true);
        return null;
    end if;
    if v_is_new then
        perform waybill.insert_shipment(p_id, v_key, p_doc, p_mode,
            v_new.updated_at, v_new.richness, v_new.digest);
    else
        perform waybill.update_shipment(p_id, v_key, p_doc, p_mode,
            v_new.updated_at, v_new.richness, v_new.digest);
    end if;
    if v_is_new or v_old.doc_tracking_code
            is distinct from v_code
        or v_old.doc_carrier is distinct from waybill.to_brief(
            p_doc -> 'selected_rate' ->> 'carrier', 200)
    then
        return waybill.link_trackers(p_id, v_key, v_old.doc_tracking_code,
                v_code)
            || waybill.link_invoices(v_old.doc_tracking_code, v_code,
                waybill.to_mode(p_doc ->> 'mode', p_mode));
    end if;
    return null;
end
$$;
revoke all on function waybill.record_shipment(jsonb, text, uuid) from public;
