-- GET /carrier-performance as rows, for CSV; a carrier has one for each currency.
create function api.carrier_rows(p_days integer, p_mode text)
returns table (carrier text, shipments bigint, rate numeric,
    on_time_sample bigint, success_rate numeric, success_sample bigint,
    avg_delivery_days numeric, delivery_days_p50 integer,
    delivery_days_p90 integer, delivery_days_sample bigint, currency text,
    total_cost numeric, cost_sample bigint, as_of text)
language sql
stable
security definer
set search_path = waybill, pg_temp
begin atomic
    select c.carrier, c.shipments, c.rate, c.on_time_sample, c.success_rate,
        c.success_sample, c.avg_delivery_days, c.delivery_days_p50,
        c.delivery_days_p90, c.delivery_days_sample, m.currency, m.total_cost,
        m.cost_sample, p.as_of
    from api.carrier_performance(p_days, p_mode) p
    cross join lateral json_to_recordset(p.carriers) as c (
            carrier text, shipments bigint, rate numeric,
            on_time_sample bigint, success_rate numeric,
            success_sample bigint, avg_delivery_days numeric,
            delivery_days_p50 integer, delivery_days_p90 integer,
            delivery_days_sample bigint, costs json)
    left join lateral json_to_recordset(c.costs) as m (currency text,
            total_cost numeric, cost_sample bigint) on true;
end;
revoke all on function api.carrier_rows(integer, text) from public;
grant execute on function api.carrier_rows(integer, text) to waybill_worker;
