-- A measure as it is kept: six decimals, and no zeros at their end.
create or replace function waybill.to_measure(p_value numeric)
returns numeric
language sql
immutable
parallel safe
as $$
    select trim_scale(round(p_value, 6))
$$;
revoke all on function waybill.to_measure(numeric) from public;
