-- The shipment that a tracker or a refund belongs to: by the shipment's id when
-- it is told, else the newest of that carrier and tracking code; null: not
-- known (yet).
create or replace function waybill.shipment_of(
    p_shipment text, p_carrier text, p_code text, p_mode text)
returns uuid
language plpgsql
stable
as $$
declare
    v_id uuid;
begin
    if p_shipment is not null then
        select s.id into v_id
        from waybill.shipments s
        where s.easypost_id = p_shipment;
    elsif p_code is not null then
        select s.id into v_id
        from waybill.shipments s
        where s.tracking_code = p_code
            and s.doc_tracking_code = p_code
            and s.doc_carrier = p_carrier
            and s.mode = p_mode
        order by s.created_at desc, s.id desc
        limit 1;
    end if;
    return v_id;
end
$$;
revoke all on function waybill.shipment_of(text, text, text, text) from public;
