-- How many shipments the filters of api.shipments match: counted up to 1000,
-- beyond that what the planner expects, marked as an estimate; where it expects
-- ten times as much nothing is counted.  Not inlined and with the owner's
-- rights, because only explain knows the planner's mind; volatile, because
-- PostgreSQL lets nothing else explain.
create function api.shipments_total(
    p_carrier text, p_service text, p_status text, p_date_from timestamptz,
    p_date_to timestamptz, p_batch_id text, p_mode text, p_reference text,
    out total bigint, out is_estimate boolean)
language plpgsql
security definer
set search_path = waybill, pg_temp
as $$
declare
    v_where text := concat_ws(' and ', 's.deleted_at is null',
        's.carrier = ' || quote_literal(p_carrier),
        's.service = ' || quote_literal(p_service),
        's.status = ' || quote_literal(p_status),
        's.created_at >= ' || quote_literal(p_date_from),
        's.created_at < ' || quote_literal(p_date_to),
        's.batch_id = ' || quote_literal(p_batch_id),
        's.mode = ' || quote_literal(p_mode),
        's.reference = ' || quote_literal(p_reference));
    v_plan json;
    v_expected bigint;
begin
    execute 'explain (format json) select from waybill.shipments s where '
        || v_where into v_plan;
    v_expected := (v_plan -> 0 -> 'Plan' ->> 'Plan Rows')::numeric;
    if v_expected < 10000 then
        execute 'select count(*) from (select from waybill.shipments s where '
            || v_where || ' limit 1001) c' into total;
    end if;
    is_estimate := total is null or total > 1000;
    if is_estimate then
        total := greatest(v_expected, 1001);
    end if;
end
$$;
revoke all on function api.shipments_total(
    text, text, text, timestamptz, timestamptz, text, text, text) from public;
grant execute on function api.shipments_total(
    text, text, text, timestamptz, timestamptz, text, text, text)
to waybill_worker;
