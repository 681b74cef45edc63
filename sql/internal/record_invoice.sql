-- One ShipmentInvoice: what a carrier billed later, with the event that told of it
-- (record_event_object).  Gives the shipments that it touches, as far as they are
-- known.
-- Its form is that of EasyPost's shipment invoice report, which its support article
-- "Shipment Invoices: Adjustments to your original label costs" tells, and of events
-- that a platform passes on (Ship Sidekick, "Adjustment Webhooks"); EasyPost's own
-- reference has none, so nothing is taken for granted but the id.
create or replace function waybill.record_invoice(p_doc jsonb, p_mode text)
returns uuid[]
language plpgsql
as $$
declare
    v_id text := waybill.to_key(p_doc ->> 'id');
    v_shipment text := waybill.to_key(p_doc ->> 'shipment_id');
    v_code text := waybill.to_key(p_doc ->> 'tracking_code');
    v_mode text := waybill.to_mode(p_doc ->> 'mode', p_mode);
    v_invoiced_at timestamptz := waybill.to_time(p_doc ->> 'invoice_date');
    -- created comes before every update
    v record := waybill.version_of(p_doc, case when p_doc ->> 'event'
        = 'shipment.invoice.updated' then 1 else 0 end);
    v_old record;
begin
    select i.shipment_easypost_id, i.tracking_code, i.mode
    into v_old
    from waybill.shipment_invoices i
    where i.easypost_id = v_id;
    insert into waybill.shipment_invoices as i (id, easypost_id, created_at,
        updated_at, mode, status, type, tracking_code, carrier,
        shipment_easypost_id, amount, currency, reason, invoiced_at,
        doc_updated_at, doc_richness, doc_digest)
    values (waybill.easypost_uuid(v_invoiced_at, v_id), v_id,
        coalesce(v_invoiced_at, v.created_at), v.updated_at, v_mode,
        waybill.to_brief(p_doc ->> 'status', 200),
        waybill.to_brief(p_doc ->> 'invoice_type', 200), v_code,
        waybill.to_brief(p_doc ->> 'carrier', 200), v_shipment,
        waybill.invoice_amount(p_doc),
        waybill.to_currency(p_doc ->> 'invoice_currency'),
        waybill.to_brief(p_doc ->> 'adjustment_reason', 1000), v_invoiced_at,
        v.updated_at, v.richness, v.digest)
    on conflict (easypost_id) do update
    set (id, created_at, updated_at, mode, status, type, tracking_code,
        carrier, shipment_easypost_id, amount, currency, reason, invoiced_at,
        doc_updated_at, doc_richness, doc_digest, recorded_at) =
        (excluded.id, excluded.created_at, excluded.updated_at, excluded.mode,
        excluded.status, excluded.type, excluded.tracking_code,
        excluded.carrier, excluded.shipment_easypost_id, excluded.amount,
        excluded.currency, excluded.reason, excluded.invoiced_at,
        excluded.doc_updated_at, excluded.doc_richness, excluded.doc_digest,
        now())
    where (excluded.doc_updated_at, excluded.doc_richness, excluded.doc_digest)
        > (i.doc_updated_at, i.doc_richness, i.doc_digest);
    return array(
        select s.id
        from waybill.shipments s
        where s.easypost_id in (v_shipment, v_old.shipment_easypost_id))
        || waybill.shipments_by_code(v_code, v_mode)
        || waybill.shipments_by_code(v_old.tracking_code, v_old.mode);
end
$$;
revoke all on function waybill.record_invoice(jsonb, text) from public;
