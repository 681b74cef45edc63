-- What an invoice adds to what the label was to cost when it was bought; below zero:
-- given back; null: not told, or not readable.  A label that is billed afterwards has
-- no first payment, and its invoice is the postage, which what was quoted stands for
-- already.
create or replace function waybill.invoice_amount(p_doc jsonb)
returns numeric
language sql
immutable
parallel safe
as $$
    select case when p_doc ->> 'adjustment_amount' is not null
        then waybill.to_amount(p_doc ->> 'adjustment_amount')
        when waybill.to_amount(p_doc ->> 'initially_paid_amount') <> 0
        then waybill.to_amount(p_doc ->> 'invoice_amount')
        else waybill.to_amount(p_doc ->> 'invoice_amount')
            - waybill.to_amount(p_doc ->> 'quoted_amount') end
$$;
revoke all on function waybill.invoice_amount(jsonb) from public;
