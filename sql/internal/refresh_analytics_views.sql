-- Brings the three views up to date and proves it, in one transaction; waybill refresh
-- gives each its own.  p_since: compares all days from there on, and the routes.
create or replace function waybill.refresh_analytics_views(
    p_since date default null)
returns table (view text, duration_ms numeric, result text, drift bigint)
language plpgsql
security definer
set search_path = waybill, pg_temp
as $$
begin
    if p_since is null then
        perform waybill.merge_figures();
    end if;
    foreach view in array array['mv_daily_shipment_analytics',
        'mv_carrier_performance', 'mv_top_routes']
    loop
        return query select * from waybill.refresh_view(view, p_since);
    end loop;
end
$$;
revoke all on function waybill.refresh_analytics_views(date) from public;
grant execute on function waybill.refresh_analytics_views(date) to waybill_jobs;
