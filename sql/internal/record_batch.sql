-- One batch: its state, its five counters, and the shipments that it lists.
-- Gives the shipments that it touches, as far as they are known.
create or replace function waybill.record_batch(p_doc jsonb, p_mode text)
returns uuid[]
language plpgsql
as $$
declare
    v_id text := waybill.to_key(p_doc ->> 'id');
    v_state text := coalesce(left(p_doc ->> 'state', 200), 'unknown');
    v_count jsonb := p_doc -> 'status';
    v_done integer := coalesce(
        waybill.to_count(v_count ->> 'postage_purchased'), 0);
    v_failed integer :=
        coalesce(waybill.to_count(v_count ->> 'creation_failed'), 0)
        + coalesce(waybill.to_count(v_count ->> 'postage_purchase_failed'), 0);
    v_is_final boolean := v_state in ('purchased', 'label_generated',
        'creation_failed', 'purchase_failed');
    v record := waybill.version_of(p_doc, waybill.batch_rank(v_state));
begin
    insert into waybill.batch_operations as b (id, batch_id, operation_type,
        created_at, started_at, completed_at, status, total_items,
        processed_items, successful_items, failed_items, source, updated_at,
        mode, reference, label_url, num_shipments, created_count,
        queued_for_purchase_count, creation_failed_count,
        postage_purchased_count, postage_purchase_failed_count,
        doc_updated_at, doc_richness, doc_digest)
    values (waybill.easypost_uuid(waybill.to_time(p_doc ->> 'created_at'),
            v_id), v_id, 'easypost_batch', v.created_at, v.created_at,
        case when v_is_final then v.updated_at end, v_state,
        coalesce(waybill.to_count(p_doc ->> 'num_shipments'), 0),
        v_done + v_failed, v_done, v_failed, 'easypost', v.updated_at,
        waybill.to_mode(p_doc ->> 'mode', p_mode), p_doc ->> 'reference',
        p_doc ->> 'label_url', waybill.to_count(p_doc ->> 'num_shipments'),
        waybill.to_count(v_count ->> 'created'),
        waybill.to_count(v_count ->> 'queued_for_purchase'),
        waybill.to_count(v_count ->> 'creation_failed'),
        waybill.to_count(v_count ->> 'postage_purchased'),
        waybill.to_count(v_count ->> 'postage_purchase_failed'),
        v.updated_at, v.richness, v.digest)
    on conflict (batch_id) do update
    set (id, created_at, started_at, completed_at, status, total_items,
        processed_items, successful_items, failed_items, updated_at, mode,
        reference, label_url, num_shipments, created_count,
        queued_for_purchase_count, creation_failed_count,
        postage_purchased_count, postage_purchase_failed_count,
        doc_updated_at, doc_richness, doc_digest, recorded_at) =
        (excluded.id, excluded.created_at, excluded.started_at,
        excluded.completed_at, excluded.status, excluded.total_items,
        excluded.processed_items, excluded.successful_items,
        excluded.failed_items, excluded.updated_at,
        excluded.mode, excluded.reference, excluded.label_url,
        excluded.num_shipments, excluded.created_count,
        excluded.queued_for_purchase_count, excluded.creation_failed_count,
        excluded.postage_purchased_count,
        excluded.postage_purchase_failed_count, excluded.doc_updated_at,
        excluded.doc_richness, excluded.doc_digest, now())
    where (excluded.doc_updated_at, excluded.doc_richness, excluded.doc_digest)
        > (b.doc_updated_at, b.doc_richness, b.doc_digest);
    return case when found
        then waybill.record_batch_items(v_id, p_doc -> 'shipments') end;
end
$$;
revoke all on function waybill.record_batch(jsonb, text) from public;
