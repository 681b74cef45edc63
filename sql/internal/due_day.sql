-- The day (UTC) by which a parcel that is under way was promised, as a number of
-- days; 0 when it is not, or nothing was promised.
create or replace function waybill.due_day(
    p_promised_at timestamptz, p_delivered_at timestamptz, p_status text)
returns integer
language sql
immutable
parallel safe
as $$
    select case when p_promised_at is not null and p_delivered_at is null
        and p_status in ('unknown', 'pre_transit', 'in_transit',
            'out_for_delivery', 'available_for_pickup')
        then (p_promised_at at time zone 'UTC')::date - date '1900-01-01'
        else 0 end
$$;
revoke all on function waybill.due_day(timestamptz, timestamptz, text)
from public;
