-- The figures of the last `days` days (UTC), today's among them, and of as many
-- before.  as_of: when what is told has last changed; null: never.
create or replace function waybill.dashboard_json(p_mode text, p_days integer)
returns json
language plpgsql
stable
as $$
declare
    v_last date := (now() at time zone 'UTC')::date;
    v_first date := v_last - p_days + 1;
    v_now waybill.daily_figures[];
    v_before waybill.daily_figures[];
    v_carriers json;
begin
    select array_agg(f) filter (where f.date = v_first),
        array_agg(f) filter (where f.date < v_first)
    into v_now, v_before
    from waybill.sum_figures(p_mode, v_first - p_days, v_first, v_last) f;
    select coalesce(json_agg(jsonb_build_object('carrier', c.carrier)
            || waybill.figures_json(c.rows)
        order by c.shipments desc, c.carrier), '[]')
    into v_carriers
    from (
        select f.carrier, sum(f.shipments) as shipments,
            array_agg(f) as rows
        from unnest(v_now) f
        where f.carrier <> ''
        group by f.carrier) c;
    return json_build_object(
        'mode', p_mode,
        'days', p_days,
        'date_from', v_first,
        'date_to', v_last,
        'as_of', waybill.figures_as_of(p_mode),
        'summary', waybill.figures_json(v_now) || jsonb_build_object(
            'previous', waybill.figures_json(v_before)),
        'carrier_performance', v_carriers,
        'shipment_trends', waybill.trends_json(p_mode, v_first, v_last),
        'top_routes', waybill.top_routes_json(p_mode),
        'attention', json_build_object(
            'late_count', waybill.late_count(p_mode),
            'failed_count', (select coalesce(sum(f.failed), 0)
                from unnest(v_now) f)));
end
$$;
revoke all on function waybill.dashboard_json(text, integer) from public;
