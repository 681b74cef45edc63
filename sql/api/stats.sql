-- Four figures in the shape of GET /stats, each beside that of the period before.
-- How many were under way then is not known.
create function api.stats(p_days integer, p_mode text)
returns json
language plpgsql
stable
security definer
set search_path = waybill, pg_temp
as $$
declare
    v jsonb := api.dashboard(p_days, p_mode);
    v_now jsonb := v -> 'summary';
    v_before jsonb := v -> 'summary' -> 'previous';
begin
    return json_build_object(
        'mode', v -> 'mode',
        'as_of', v -> 'as_of',
        'total_shipments', waybill.stat_json(v_now -> 'total_shipments',
            v_before -> 'total_shipments'),
        'active_deliveries', waybill.stat_json(
            v_now -> 'in_transit_count', null),
        'total_cost', waybill.stat_json(
            waybill.only_cost(v_now, 'total_cost'),
            case when waybill.only_cost(v_now, 'currency')
                = waybill.only_cost(v_before, 'currency')
                then waybill.only_cost(v_before, 'total_cost') end)
            || jsonb_build_object(
                'currency', waybill.only_cost(v_now, 'currency')),
        'delivery_success_rate', waybill.stat_json(
            to_jsonb(round((v_now ->> 'success_rate')::numeric / 100, 4)),
            to_jsonb(round((v_before ->> 'success_rate')::numeric / 100, 4)))
            || jsonb_build_object('sample', v_now -> 'success_sample'));
end
$$;
revoke all on function api.stats(integer, text) from public;
grant execute on function api.stats(integer, text) to waybill_worker;
