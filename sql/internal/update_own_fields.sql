-- Writes what a person may change of a shipment, and only when it changes
-- something.  Of a mirrored shipment updated_at stays EasyPost's.
create or replace function waybill.update_own_fields(p_new waybill.shipments)
returns void
language plpgsql
as $$
begin
    update waybill.shipments s
    set (own_reference, reference, extra_metadata, status, tracking_code,
        carrier, service, base_cost, total_cost, currency, weight,
        delivery_days, delivery_date, est_delivery_date, promised_at,
        purchased_at, delivered_at, signed_by, batch_id, updated_at,
        recorded_at) =
        (p_new.own_reference, p_new.reference, p_new.extra_metadata,
        p_new.status, p_new.tracking_code, p_new.carrier, p_new.service,
        p_new.base_cost, p_new.total_cost, p_new.currency, p_new.weight,
        p_new.delivery_days, p_new.delivery_date, p_new.est_delivery_date,
        p_new.promised_at, p_new.purchased_at, p_new.delivered_at,
        p_new.signed_by, p_new.batch_id,
        case when s.easypost_id is null then now() else s.updated_at end,
        now())
    where s.id = p_new.id
        and s *<> p_new; -- json has no equality, its bytes have
end
$$;
revoke all on function waybill.update_own_fields(waybill.shipments)
from public;
