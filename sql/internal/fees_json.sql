-- The fees of a document, of each its type, amount (a number; below zero: given back;
-- null: not readable) and whether it was refunded; null when no fee is told.
create or replace function waybill.fees_json(p_fees jsonb)
returns jsonb
language plpgsql
immutable
as $$
declare
    v_fees jsonb;
    v_fee jsonb;
begin
    if jsonb_typeof(p_fees) = 'array' then
        for i in 0 .. jsonb_array_length(p_fees) - 1 loop
            v_fee := p_fees -> i;
            v_fees := coalesce(v_fees, '[]') || jsonb_build_object(
                'type', waybill.to_brief(v_fee ->> 'type', 200),
                'amount', waybill.to_amount(v_fee ->> 'amount'),
                'refunded', v_fee ->> 'refunded' is not distinct from 'true');
        end loop;
    end if;
    return v_fees;
end
$$;
revoke all on function waybill.fees_json(jsonb) from public;
