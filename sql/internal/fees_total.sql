-- The sum of the fees that were not refunded; null when no fee is told.
create or replace function waybill.fees_total(p_fees jsonb)
returns numeric
language plpgsql
immutable
as $$
declare
    v_total numeric;
    v_fee jsonb;
begin
    if jsonb_typeof(p_fees) = 'array' then
        for i in 0 .. jsonb_array_length(p_fees) - 1 loop
            v_fee := p_fees -> i;
            v_total := coalesce(v_total, 0) + case
                when v_fee ->> 'refunded' = 'true' then 0
                else coalesce(waybill.to_number(v_fee ->> 'amount'), 0) end;
        end loop;
    end if;
    return v_total;
end
$$;
revoke all on function waybill.fees_total(jsonb) from public;
