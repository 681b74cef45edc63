-- One tracker and its history.  p_keys and p_ids are the shipments of the same
-- document, which may not be written yet.  Gives the shipments whose state may
-- have changed by it, each once and in the order of their locks.
create or replace function waybill.record_tracker(
    p_doc jsonb, p_mode text, p_keys text[], p_ids uuid[])
returns uuid[]
language plpgsql
as $$
declare
    v_key text := waybill.to_key(p_doc ->> 'id');
    v record := waybill.version_of(p_doc, case jsonb_typeof(
        p_doc -> 'tracking_details') when 'array'
        then least(jsonb_array_length(p_doc -> 'tracking_details'), 200)
        else 0 end);
    v_old record;
    v_new record;
    v_id uuid;
    v_shipment_id uuid;
begin
    select t.id, t.doc_updated_at, t.doc_richness, t.doc_digest, t.shipment_id,
        t.shipment_easypost_id, t.tracking_details::jsonb as details
    into v_old
    from waybill.trackers t
    where t.easypost_id = v_key
    for no key update;
    if v_old.doc_digest = v.digest then return null; end if;
    v_new := waybill.tracker_history(v_old.details, p_doc -> 'tracking_details');
    v_id := v_old.id;
    v_shipment_id := v_old.shipment_id;
    if v_id is null or (v.updated_at, v.richness, v.digest)
        > (v_old.doc_updated_at, v_old.doc_richness, v_old.doc_digest)
    then
        select w.id, w.shipment_id into v_id, v_shipment_id
        from waybill.write_tracker(v_key, p_doc, p_mode, v.updated_at,
            v.richness, v.digest, v_new.details, v_new.delivered_at,
            coalesce(p_keys, array[v_old.shipment_easypost_id]),
            coalesce(p_ids, array[v_old.shipment_id])) w;
        if v_shipment_id is distinct from v_old.shipment_id
            and v_old.id is not null
        then
            update waybill.shipment_events e
            set shipment_id = v_shipment_id
            where e.tracker_id = v_id;
        end if;
    elsif v_new.fresh is null then
        return null;
    else
        update waybill.trackers t
        set tracking_details = v_new.details::text::json,
            delivered_at = case when t.status = 'delivered'
                then coalesce(v_new.delivered_at, t.updated_at) end
        where t.id = v_id;
    end if;
    if v_new.fresh is not null then
        perform waybill.record_events(v_id, v_shipment_id, v_new.fresh);
    end if;
    return case when v_old.shipment_id <> v_shipment_id
        then array[least(v_old.shipment_id, v_shipment_id),
            greatest(v_old.shipment_id, v_shipment_id)]
        else array[coalesce(v_shipment_id, v_old.shipment_id)] end;
end
$$;
revoke all on function waybill.record_tracker(jsonb, text, text[], uuid[])
from public;
