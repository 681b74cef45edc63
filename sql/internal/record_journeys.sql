-- Trackers, refunds, invoices, batches and shipments, which depend on each other:
-- each one's own row, then every other shipment that one of them touched.
create or replace function waybill.record_journeys(p_docs jsonb[], p_mode text)
returns void
language plpgsql
as $$
declare
    v_doc jsonb;
    v_key text;
    v_id uuid;
    v_keys text[];
    v_ids uuid[];
    v_touched uuid[];
    v_linked uuid[];
begin
    foreach v_doc in array p_docs loop
        v_key := waybill.to_key(v_doc ->> 'id');
        if v_doc ->> 'object' = 'Shipment' and v_key is not null then
            select s.id into v_id
            from waybill.shipments s
            where s.easypost_id = v_key;
            v_keys := v_keys || v_key;
            v_ids := v_ids || coalesce(v_id, waybill.easypost_uuid(
                waybill.to_time(v_doc ->> 'created_at'), v_key));
        end if;
    end loop;
    foreach v_doc in array p_docs loop
        continue when waybill.to_key(v_doc ->> 'id') is null;
        v_touched := v_touched || case v_doc ->> 'object'
            when 'Tracker' then
                waybill.record_tracker(v_doc, p_mode, v_keys, v_ids)
            when 'Refund' then waybill.record_refund(v_doc, p_mode)
            when 'ShipmentInvoice' then waybill.record_invoice(v_doc, p_mode)
            when 'Batch' then waybill.record_batch(v_doc, p_mode) end;
    end loop;
    foreach v_doc in array p_docs loop
        v_key := waybill.to_key(v_doc ->> 'id');
        if v_doc ->> 'object' = 'Shipment' and v_key is not null then
            v_linked := v_linked || waybill.record_shipment(v_doc, p_mode,
                v_ids[array_position(v_keys, v_key)]);
        end if;
    end loop;
    if v_touched <> '{}' or v_linked <> '{}' then
        -- the shipments of these documents have just looked for themselves
        perform waybill.settle_shipment(t.id, true)
        from (
            select u.id
            from unnest(v_touched) as u (id)
            where u.id <> all (coalesce(v_ids, '{}'))
            union
            select u.id
            from unnest(v_linked) as u (id)
            order by 1) t
        where t.id is not null;
    end if;
end
$$;
revoke all on function waybill.record_journeys(jsonb[], text) from public;
