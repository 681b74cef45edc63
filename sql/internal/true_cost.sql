-- What a shipment costs: its fees (of fees_json), less what was refunded, plus what
-- invoices adjusted (of adjustment_of); the rate when no fee is told; null when one of
-- them is not known, or more is given back than was taken.  A refund that is through
-- takes the postage, even when the document with the fees is older and does not know
-- of it, and leaves what was billed later.
create or replace function waybill.true_cost(
    p_rate numeric, p_fees jsonb, p_refund_status text,
    p_adjustment numeric, p_adjustment_count integer)
returns numeric
language plpgsql
immutable
as $$
declare
    v_is_refunded boolean := p_refund_status is not distinct from 'refunded';
    v_cost numeric := case when p_adjustment_count = 0 then 0
        else p_adjustment end;
    v_fee jsonb;
begin
    if p_fees is null then
        v_cost := v_cost + case when v_is_refunded and p_rate is not null
            then 0 else p_rate end;
        return case when v_cost >= 0 then v_cost end;
    end if;
    for i in 0 .. jsonb_array_length(p_fees) - 1 loop
        v_fee := p_fees -> i;
        if not (v_fee -> 'refunded')::boolean
            and not (v_is_refunded and v_fee ->> 'type' = 'PostageFee')
        then
            v_cost := v_cost + (v_fee ->> 'amount')::numeric;
        end if;
    end loop;
    return case when v_cost >= 0 then v_cost end;
end
$$;
revoke all on function waybill.true_cost(numeric, jsonb, text, numeric, integer)
from public;
