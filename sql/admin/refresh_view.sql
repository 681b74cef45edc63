-- For the operator's program: brings one of the three views up to date and compares it
-- with the shipments.  From p_since on, or (null) a few days; but all of the last 90
-- when that was not done for a day, which the last of the three, the routes, tells.
create function admin.refresh_view(p_view text, p_since date)
returns table (view text, duration_ms numeric, result text, drift bigint)
language sql
volatile
security definer
set search_path = waybill, pg_temp
begin atomic
    select r.view, r.duration_ms, r.result, r.drift
    from waybill.refresh_view(p_view, coalesce(p_since,
        case when not exists (
            select
            from waybill.refresh_history h
            where h.view_name = 'mv_top_routes'
                and h.drift is not null
                and h.started_at > now() - interval '23.5 hours')
        then (now() at time zone 'UTC')::date - 90 end)) r;
end;
revoke all on function admin.refresh_view(text, date) from public;
grant execute on function admin.refresh_view(text, date) to waybill_jobs;
