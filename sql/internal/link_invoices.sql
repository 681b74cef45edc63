-- A shipment is new, or its tracking code changed: an invoice that names a shipment
-- by its code alone may now mean another one, or none.  Gives the shipments to settle.
create or replace function waybill.link_invoices(
    p_old_code text, p_code text, p_mode text)
returns uuid[]
language plpgsql
stable
as $$
begin
    if not exists (
        select
        from waybill.shipment_invoices i
        where coalesce(i.shipment_easypost_id, i.tracking_code)
                in (p_old_code, p_code)
            and i.shipment_easypost_id is null)
    then
        return null;
    end if;
    return waybill.shipments_by_code(p_old_code, p_mode)
        || waybill.shipments_by_code(p_code, p_mode);
end
$$;
revoke all on function waybill.link_invoices(text, text, text) from public;
