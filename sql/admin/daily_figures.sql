-- As api.daily_figures, for the operator's program.
create function admin.daily_figures(p_days integer, p_mode text)
returns table (date date, mode text, carrier text, service text,
    currency text, shipments bigint, purchased bigint, delivered bigint,
    in_transit bigint, failed bigint, cancelled bigint, on_time bigint,
    on_time_sample bigint, on_time_rate numeric, total_cost numeric,
    cost_sample bigint, avg_delivery_days numeric,
    delivery_days_sample bigint)
language sql
stable
security definer
set search_path = waybill, pg_temp
begin atomic
    select f.*
    from api.daily_figures(p_days, p_mode) f;
end;
revoke all on function admin.daily_figures(integer, text) from public;
grant execute on function admin.daily_figures(integer, text) to waybill_jobs;
