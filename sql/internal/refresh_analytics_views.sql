-- Brings the three views up to date and proves it: each on its own, one that fails
-- does not stop the others, and one that is being refreshed elsewhere is left
-- alone.  Tells and records how each went, how long it took, and how many sums
-- were not what the shipments say (drift), which are right afterwards.
-- p_since: compares all days from there on, and the routes.
create or replace function waybill.refresh_analytics_views(
    p_since date default null)
returns table (view text, duration_ms numeric, result text, drift bigint)
language plpgsql
security definer
set search_path = waybill, pg_temp
set timezone = 'UTC'
set jit = off
as $$
declare
    v_start timestamptz;
    v_error text;
begin
    if p_since is null then
        perform waybill.merge_figures();
    end if;
    foreach view in array array['mv_daily_shipment_analytics',
        'mv_carrier_performance', 'mv_top_routes']
    loop
        v_start := clock_timestamp();
        v_error := null;
        drift := null;
        if pg_try_advisory_xact_lock(hashtext('waybill.refresh'),
            hashtext(view))
        then
            begin
                drift := waybill.refresh_view(view, p_since);
                result := 'refreshed';
            exception
                when others then
                    result := 'failed';
                    v_error := sqlerrm;
            end;
        else
            result := 'skipped';
        end if;
        duration_ms := round((date_part('epoch',
            clock_timestamp() - v_start) * 1000)::numeric, 3);
        insert into waybill.refresh_history (view_name, started_at,
            duration_ms, result, error, drift)
        values (view, v_start, duration_ms, result, v_error, drift);
        return next;
    end loop;
    -- what was ready may have been wrong
    perform pg_advisory_xact_lock(hashtextextended('waybill.merge', 0));
    update waybill.dashboards d set since = '-infinity';
    perform waybill.make_dashboards();
end
$$;
revoke all on function waybill.refresh_analytics_views(date) from public;
grant execute on function waybill.refresh_analytics_views(date) to waybill_jobs;
