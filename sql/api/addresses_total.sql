-- How many addresses the filters of api.addresses match, as exact as
-- api.shipments_total is.
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
    v_expected bigint;
begin
    execute 'explain (format json) select from waybill.addresses a where '
        || v_where into v_plan;
    v_expected := (v_plan -> 0 -> 'Plan' ->> 'Plan Rows')::numeric;
    if v_expected < 10000 then
        execute 'select count(*) from (select from waybill.addresses a where '
            || v_where || ' limit 1001) c' into total;
    end if;
    is_estimate := total is null or total > 1000;
    if is_estimate then
        total := greatest(v_expected, 1001);
    end if;
end
$$;
revoke all on function api.addresses_total(text, text, text) from public;
grant execute on function api.addresses_total(text, text, text)
to waybill_worker;
