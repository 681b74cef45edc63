-- What invoices add to the cost of a shipment, and how many they are: those with its
-- id, and of those without an id the ones with its tracking code, when no other
-- shipment has it.  adjustment is null when there is none, or when what one of them
-- adds is not known in the shipment's currency.
create or replace function waybill.adjustment_of(
    p_id uuid, p_key text, p_code text, p_mode text, p_currency text,
    out adjustment numeric, out adjustment_count integer)
language plpgsql
stable
as $$
begin
    -- two decimals and no more zeros, whichever way the same sum came about
    select waybill.money_text(case when bool_and(i.amount is not null
            and i.currency is not distinct from p_currency)
            then sum(i.amount) end)::numeric,
        count(*)
    into adjustment, adjustment_count
    from waybill.shipment_invoices i
    where coalesce(i.shipment_easypost_id, i.tracking_code) in (p_key, p_code)
        and (i.shipment_easypost_id = p_key
            or i.shipment_easypost_id is null
            and i.tracking_code = p_code
            and i.mode = p_mode
            and not exists (
                select
                from waybill.shipments s
                where s.tracking_code = p_code
                    and s.doc_tracking_code = p_code
                    and s.mode = p_mode
                    and s.id <> p_id));
end
$$;
revoke all on function waybill.adjustment_of(uuid, text, text, text, text)
from public;
