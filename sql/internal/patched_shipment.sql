-- A shipment after a patch whose fields were checked.  extra_metadata is merged
-- in its depth (RFC 7396); what was promised follows from the rest.
create or replace function waybill.patched_shipment(
    p_old waybill.shipments, p_patch jsonb)
returns waybill.shipments
language plpgsql
stable
as $$
declare
    v_new waybill.shipments := jsonb_populate_record(p_old,
        p_patch - 'extra_metadata');
begin
    if p_patch ? 'extra_metadata' then
        v_new.extra_metadata := nullif(waybill.merge_patch(
            p_old.extra_metadata, p_patch -> 'extra_metadata'), 'null');
    end if;
    if p_patch ? 'reference' then
        v_new.own_reference := p_patch ->> 'reference';
        v_new.reference := coalesce(v_new.own_reference, p_old.doc_reference);
    end if;
    if p_old.easypost_id is null then
        v_new.weight := waybill.to_measure(v_new.weight);
        v_new.promised_at := coalesce(v_new.delivery_date,
            v_new.purchased_at + v_new.delivery_days * interval '1 day');
    end if;
    return v_new;
end
$$;
revoke all on function waybill.patched_shipment(waybill.shipments, jsonb)
from public;
