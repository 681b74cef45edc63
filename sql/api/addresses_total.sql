-- How many addresses the filters of api.addresses match: counted up to 1000,
-- beyond that what the planner expects, marked as an estimate.
create function api.addresses_total(
    p_country text, p_state text, p_city text,
    out total bigint, out is_estimate boolean)
language plpgsql
security definer
set search_path = waybill, pg_temp
as $$
declare
    v_where text := concat_ws(' and ', 'a.deleted_at is null',
        'a.country = ' || quote_literal(p_country),
        'a.state = ' || quote_literal(p_state),
        'a.city = ' || quote_literal(p_city));
    v_plan json;
begin
    execute 'select count(*) from (select from waybill.addresses a where '
        || v_where || ' limit 1001) c' into total;
    is_estimate := total > 1000;
    if is_estimate then
        execute 'explain (format json) select from waybill.addresses a where '
            || v_where into v_plan;
        total := greatest(total,
            (v_plan -> 0 -> 'Plan' ->> 'Plan Rows')::numeric::bigint);
    end if;
end
$$;
revoke all on function api.addresses_total(text, text, text) from public;
grant execute on function api.addresses_total(text, text, text)
to waybill_worker;
