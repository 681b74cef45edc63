-- The figures of each day, carrier, service and currency, for CSV.
create function api.daily_figures(p_days integer, p_mode text)
returns table (date date, mode text, carrier text, service text,
    currency text, shipments bigint, purchased bigint, delivered bigint,
    in_transit bigint, failed bigint, cancelled bigint, on_time bigint,
    on_time_sample bigint, on_time_rate numeric, total_cost numeric,
    cost_sample bigint, avg_delivery_days numeric,
    delivery_days_sample bigint, as_of text, delivery_days_p50 integer,
    delivery_days_p90 integer)
language plpgsql
stable
security definer
set search_path = waybill, pg_temp
as $$
#variable_conflict use_column
declare
    v_mode text := coalesce(p_mode, waybill.analytics_mode());
    v_as_of text := waybill.figures_as_of(v_mode);
begin
    return query
    select f.date, f.mode, f.carrier, f.service, f.currency,
        sum(f.shipments)::bigint, sum(f.purchased)::bigint,
        sum(f.delivered)::bigint, sum(f.in_transit)::bigint,
        sum(f.failed)::bigint, sum(f.cancelled)::bigint,
        sum(f.on_time)::bigint, sum(f.promised)::bigint,
        round(100.0 * sum(f.on_time) / nullif(sum(f.promised), 0), 2),
        case when sum(f.costed) > 0 then sum(f.cost) end,
        sum(f.costed)::bigint,
        round(sum(f.seconds) / 86400.0
            / nullif(sum(f.timed), 0), 3),
        sum(f.timed)::bigint,
        v_as_of,
        waybill.days_percentile(0.5, array_agg(f.days)
            filter (where f.days > 0), array_agg(f.timed)
            filter (where f.days > 0)),
        waybill.days_percentile(0.9, array_agg(f.days)
            filter (where f.days > 0), array_agg(f.timed)
            filter (where f.days > 0))
    from waybill.daily_figures f
    where f.mode = v_mode
        and f.date between (now() at time zone 'UTC')::date - p_days + 1
            and (now() at time zone 'UTC')::date
    group by f.date, f.mode, f.carrier, f.service, f.currency
    order by f.date, f.carrier, f.service, f.currency;
end
$$;
revoke all on function api.daily_figures(integer, text) from public;
grant execute on function api.daily_figures(integer, text)
to waybill_worker, waybill_jobs;
