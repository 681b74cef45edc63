-- What is told of a number of shipments, from the sums of daily_figures.
create or replace function waybill.figures_json(
    p_rows waybill.daily_figures[])
returns jsonb
language plpgsql
stable
parallel safe
as $$
begin
    return (
        select jsonb_build_object(
            'total_shipments', coalesce(sum(f.shipments), 0),
            'purchased_count', coalesce(sum(f.purchased), 0),
            'delivered_count', coalesce(sum(f.delivered), 0),
            'in_transit_count', coalesce(sum(f.in_transit), 0),
            'failed_count', coalesce(sum(f.failed), 0),
            'cancelled_count', coalesce(sum(f.cancelled), 0),
            'on_time_rate', round(100.0 * sum(f.on_time)
                / nullif(sum(f.promised), 0), 2),
            'on_time_sample', coalesce(sum(f.promised), 0),
            'success_rate', round(100.0 * sum(f.delivered)
                / nullif(sum(f.delivered + f.failed), 0), 2),
            'success_sample', coalesce(sum(f.delivered + f.failed), 0),
            'avg_delivery_days', round(sum(f.seconds) / 86400.0
                / nullif(sum(f.timed), 0), 3),
            'delivery_days_p50', waybill.days_percentile(0.5,
                array_agg(f.days) filter (where f.days > 0),
                array_agg(f.timed) filter (where f.days > 0)),
            'delivery_days_p90', waybill.days_percentile(0.9,
                array_agg(f.days) filter (where f.days > 0),
                array_agg(f.timed) filter (where f.days > 0)),
            'delivery_days_sample', coalesce(sum(f.timed), 0),
            'costs', waybill.costs_json(array_agg(f.currency), array_agg(f.cost),
                array_agg(f.costed)))
        from unnest(p_rows) f);
end
$$;
revoke all on function waybill.figures_json(waybill.daily_figures[])
from public;
