-- A member of the costs of what figures_json tells, when they are in one currency;
-- else null.
create or replace function waybill.only_cost(p_figures jsonb, p_member text)
returns jsonb
language sql
immutable
parallel safe
as $$
    select case when jsonb_array_length(p_figures -> 'costs') = 1
        then p_figures -> 'costs' -> 0 -> p_member end
$$;
revoke all on function waybill.only_cost(jsonb, text) from public;
