-- Refreshes the three views, each on its own: readers go on, one that fails
-- does not stop the others, and one that is being refreshed elsewhere is left
-- alone.  Tells and records how each went and how long it took.
create or replace function waybill.refresh_analytics_views()
returns table (view text, duration_ms numeric, result text)
language plpgsql
security definer
set search_path = waybill, pg_temp
set timezone = 'UTC'
as $$
declare
    v_start timestamptz;
    v_error text;
begin
    foreach view in array array['mv_daily_shipment_analytics',
        'mv_carrier_performance', 'mv_top_routes']
    loop
        v_start := clock_timestamp();
        v_error := null;
        if pg_try_advisory_xact_lock(hashtext('waybill.refresh'),
            hashtext(view))
        then
            begin
                execute format(
                    'refresh materialized view concurrently waybill.%I', view);
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
            duration_ms, result, error)
        values (view, v_start, duration_ms, result, v_error);
        return next;
    end loop;
end
$$;
revoke all on function waybill.refresh_analytics_views() from public;
grant execute on function waybill.refresh_analytics_views() to waybill_jobs;
