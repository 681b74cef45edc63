-- An amount of money as answers show it: exactly, with two decimals at least.
create or replace function waybill.money_text(p_amount numeric)
returns text
language sql
immutable
parallel safe
as $$
    select case when scale(trim_scale(p_amount)) < 2
        then round(p_amount, 2) else trim_scale(p_amount) end::text
$$;
revoke all on function waybill.money_text(numeric) from public;
