-- The row of a tracker from its winning document.  p_keys and p_ids are shipments
-- that need no look.  waybill.heard_at: when EasyPost said it, if that is not now.
create or replace function waybill.write_tracker(
    p_key text, p_doc jsonb, p_mode text, p_updated_at timestamptz,
    p_richness integer, p_digest bigint, p_details jsonb,
    p_delivered_at timestamptz, p_keys text[], p_ids uuid[],
    out id uuid, out shipment_id uuid)
language plpgsql
as $$
declare
    v_created timestamptz := waybill.to_time(p_doc ->> 'created_at');
    v_shipment text := case when p_key like 'shp\_%' then p_key
        else waybill.to_key(p_doc ->> 'shipment_id') end;
    v_code text := waybill.to_key(p_doc ->> 'tracking_code');
    v_carrier text := waybill.to_brief(p_doc ->> 'carrier', 200);
    v_status text := coalesce(waybill.to_brief(p_doc ->> 'status', 200),
        'unknown');
    v_mode text := waybill.to_mode(p_doc ->> 'mode', p_mode);
begin
    shipment_id := coalesce(case when v_shipment is not null
            then p_ids[array_position(p_keys, v_shipment)] end,
        waybill.shipment_of(v_shipment, v_carrier, v_code, v_mode));
    -- EasyPost tells the creation with a second's drift: the day keeps the key
    insert into waybill.trackers as t (id, easypost_id, created_at, updated_at,
        tracking_code, carrier, status, status_detail, mode,
        shipment_easypost_id, shipment_id, signed_by, weight,
        est_delivery_date, delivered_at, is_return, finalized, public_url,
        carrier_detail, tracking_details,
        doc_updated_at, doc_richness, doc_digest, recorded_at)
    values (waybill.easypost_uuid(date_trunc('day', v_created), p_key), p_key,
        coalesce(v_created, p_updated_at), p_updated_at, v_code, v_carrier,
        v_status, p_doc ->> 'status_detail', v_mode, v_shipment, shipment_id,
        p_doc ->> 'signed_by', waybill.to_number(p_doc ->> 'weight'),
        waybill.to_time(p_doc ->> 'est_delivery_date'),
        case when v_status = 'delivered'
            then coalesce(p_delivered_at, p_updated_at) end,
        waybill.to_flag(p_doc ->> 'is_return'),
        waybill.to_flag(p_doc ->> 'finalized'), p_doc ->> 'public_url',
        nullif(p_doc -> 'carrier_detail', 'null'), p_details::text::json,
        p_updated_at, p_richness, p_digest, coalesce(nullif(
            current_setting('waybill.heard_at', true), '')::timestamptz, now()))
    on conflict (easypost_id) do update
    set (created_at, updated_at, tracking_code, carrier, status, status_detail,
        mode, shipment_easypost_id, shipment_id, signed_by, weight,
        est_delivery_date, delivered_at, is_return, finalized, public_url,
        carrier_detail, tracking_details, doc_updated_at, doc_richness,
        doc_digest, recorded_at) =
        (excluded.created_at, excluded.updated_at, excluded.tracking_code,
        excluded.carrier, excluded.status, excluded.status_detail,
        excluded.mode, excluded.shipment_easypost_id, excluded.shipment_id,
        excluded.signed_by, excluded.weight, excluded.est_delivery_date,
        excluded.delivered_at, excluded.is_return, excluded.finalized,
        excluded.public_url, excluded.carrier_detail, excluded.tracking_details,
        excluded.doc_updated_at, excluded.doc_richness, excluded.doc_digest,
        excluded.recorded_at)
    returning t.id into id;
end
$$;
revoke all on function waybill.write_tracker(
    text, jsonb, text, timestamptz, integer, bigint, jsonb, timestamptz,
    text[], uuid[])
from public;
