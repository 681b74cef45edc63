-- What a shipment's row says that it cost before invoices: the rate.  Of one recorded
-- before fees were kept the sum is all there is, until a refund has taken it.
create or replace function waybill.told_rate(
    p_rate numeric, p_fees jsonb, p_refund_status text, p_total numeric,
    p_adjustment numeric)
returns numeric
language sql
immutable
parallel safe
as $$
    select case when p_fees is null
        and p_refund_status is distinct from 'refunded'
        then coalesce(p_total - coalesce(p_adjustment, 0), p_rate)
        else p_rate end
$$;
revoke all on function waybill.told_rate(
    numeric, jsonb, text, numeric, numeric)
from public;
