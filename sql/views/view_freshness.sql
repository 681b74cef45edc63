-- How the three views of figures stand: they include the last commit; compared and
-- repaired they are every hour, by `waybill refresh`.  Drift: sums that were wrong
-- within a day.  Unmerged notes cost those who read, no more.
create or replace view waybill.view_freshness as
    select v.name as view_name,
        r.refreshed_at,
        round(date_part('epoch', now() - r.refreshed_at)::numeric)
            as refreshed_ago_s,
        r.duration_ms,
        l.result as last_result,
        l.error as last_error,
        d.drift,
        a.merged_at,
        a.changed_at,
        u.unmerged
    from unnest(array['mv_daily_shipment_analytics', 'mv_carrier_performance',
        'mv_top_routes']) as v (name)
    left join lateral (
        select h.started_at + h.duration_ms * interval '1 ms' as refreshed_at,
            h.duration_ms
        from waybill.refresh_history h
        where h.view_name = v.name
            and h.result = 'refreshed'
        order by h.started_at desc
        limit 1) r on true
    left join lateral (
        select h.result, h.error
        from waybill.refresh_history h
        where h.view_name = v.name
        order by h.started_at desc
        limit 1) l on true
    cross join lateral (
        select sum(h.drift) as drift
        from waybill.refresh_history h
        where h.view_name = v.name
            and h.started_at > now() - interval '1 day') d
    cross join (
        select min(s.merged_at) as merged_at, max(s.changed_at) as changed_at
        from waybill.analytics_state s) a
    cross join (select count(*) as unmerged from waybill.shipment_deltas) u;
grant select on waybill.view_freshness to waybill_reader;
