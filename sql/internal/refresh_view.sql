-- Brings one view up to date and proves it; one that is being refreshed elsewhere is
-- left alone.  Tells and records how it went, how long it took, and how many sums were
-- not what the shipments say (drift; null: none were compared), which are right
-- afterwards.  p_since: compares all from that day on.
create or replace function waybill.refresh_view(p_view text, p_since date)
returns table (view text, duration_ms numeric, result text, drift bigint)
language plpgsql
set timezone = 'UTC'
set jit = off
as $$
declare
    v_start timestamptz := clock_timestamp();
    v_error text;
begin
    view := p_view;
    if pg_try_advisory_xact_lock(hashtext('waybill.refresh'), hashtext(view))
    then
        begin
            drift := waybill.compare_view(view, p_since);
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
    if drift > 0 then -- what is ready was made of what was wrong
        perform waybill.hold_merges();
        delete from waybill.dashboards;
        perform waybill.make_dashboards();
    end if;
    return next;
end
$$;
revoke all on function waybill.refresh_view(text, date) from public;
