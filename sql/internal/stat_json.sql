-- A figure beside that of the period before: the change in percent of it, with its
-- sign, and which way; null when either is not known or there was nothing before.
create or replace function waybill.stat_json(p_value jsonb, p_before jsonb)
returns jsonb
language sql
immutable
parallel safe
as $$
    select jsonb_build_object(
        'value', p_value,
        'change', to_char(round(100 * (n.value - n.before) / n.before, 1),
            'SGFM999999990.0') || '%',
        'trend', case sign(n.value - n.before)
            when 1 then 'up' when -1 then 'down' when 0 then 'flat' end)
    from (
        select (p_value #>> '{}')::numeric as value,
            nullif((p_before #>> '{}')::numeric, 0) as before) n
$$;
revoke all on function waybill.stat_json(jsonb, jsonb) from public;
