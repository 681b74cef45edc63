-- The figures of a period, all out of one answer of the dashboard's, one row for
-- each currency.  The days are those of the row; null: of all time.
create function admin.report_rows(p_days integer, p_mode text)
returns table (part text, name text, shipments bigint, change_percent numeric,
    delivered bigint, under_way bigint, failed bigint, on_time_rate numeric,
    on_time_sample bigint, avg_delivery_days numeric,
    delivery_days_p50 integer, delivery_days_p90 integer,
    delivery_days_sample bigint, currency text, total_cost numeric,
    avg_cost numeric, cost_sample bigint, mode text, date_from date,
    date_to date, as_of text)
language plpgsql
stable
security definer
set search_path = waybill, pg_temp
as $$
#variable_conflict use_column
declare
    v jsonb := api.dashboard(p_days, p_mode);
begin
    return query
    select p.part, p.name,
        coalesce(f.total_shipments, f.shipment_count),
        case p.part when 'total' then round(100.0 * (f.total_shipments
            - (f.previous ->> 'total_shipments')::bigint)
            / nullif((f.previous ->> 'total_shipments')::bigint, 0), 1) end,
        f.delivered_count, f.in_transit_count, f.failed_count,
        f.on_time_rate, f.on_time_sample, f.avg_delivery_days,
        f.delivery_days_p50, f.delivery_days_p90, f.delivery_days_sample,
        m.currency, m.total_cost, m.avg_cost, m.cost_sample, v ->> 'mode',
        p.date_from, p.date_to, v ->> 'as_of'
    from waybill.report_parts(v) p
    cross join lateral jsonb_to_record(p.figures) as f (
            total_shipments bigint, shipment_count bigint, previous jsonb,
            delivered_count bigint, in_transit_count bigint,
            failed_count bigint, on_time_rate numeric, on_time_sample bigint,
            avg_delivery_days numeric, delivery_days_p50 integer,
            delivery_days_p90 integer, delivery_days_sample bigint,
            costs jsonb)
    left join lateral jsonb_to_recordset(f.costs) as m (currency text,
            total_cost numeric, avg_cost numeric, cost_sample bigint) on true
    order by p.place, m.currency;
end
$$;
revoke all on function admin.report_rows(integer, text) from public;
grant execute on function admin.report_rows(integer, text) to waybill_jobs;
