-- What only the database knows, for /metrics: one row a sample.  The rows of a
-- metric come together.  With the owner's rights, so that a worker may count
-- what it may not see.
create function api.metrics()
returns table (metric text, label text, value numeric)
language sql
stable
security definer
set search_path = waybill, pg_temp
begin atomic
    with found (metric, label, value) as (
        select 'webhook_failed', null, count(*)::numeric
        from waybill.webhook_events e
        where e.state = 'failed'
        union all
        select 'jobs', s.state, count(j.id)
        from unnest(array['queued', 'running', 'failed']) as s (state)
        left join waybill.jobs j on j.state = s.state
        group by s.state
        union all
        select 'jobs_oldest_seconds', null, coalesce(
            date_part('epoch', now() - min(j.run_at)), 0)::numeric
        from waybill.jobs j
        where j.state = 'queued' and j.run_at <= now()
        union all
        select 'ledger_incomplete', o.object, count(l.id)
        from unnest(array['shipment', 'tracker', 'address', 'refund',
            'event']) as o (object)
        left join waybill.reconciliation_ledger l
            on l.object = o.object
            and not l.is_complete
        group by o.object
        union all
        select 'ledger_checked_timestamp_seconds', null,
            coalesce(date_part('epoch', max(l.checked_at)), 0)::numeric
        from waybill.reconciliation_ledger l
        union all
        select m.metric, v.name, m.value
        from unnest(array['mv_daily_shipment_analytics',
            'mv_carrier_performance', 'mv_top_routes']) as v (name)
        cross join lateral (
            select h.started_at, h.duration_ms / 1000 as seconds, (
                    select sum(d.drift)
                    from waybill.refresh_history d
                    where d.view_name = v.name
                        and d.started_at > now() - interval '1 day') as drift
            from waybill.refresh_history h
            where h.view_name = v.name and h.result = 'refreshed'
            order by h.started_at desc
            limit 1) as h
        cross join lateral (
            values ('view_refreshed_timestamp_seconds',
                    date_part('epoch', h.started_at)::numeric + h.seconds),
                ('view_refresh_duration_seconds', h.seconds),
                ('view_drift', h.drift))
            as m (metric, value) where m.value is not null
        union all
        select s.metric, null, s.value
        from waybill.server_samples() s)
    select f.metric, f.label, round(f.value, 6)
    from found f
    order by f.metric, f.label;
end;
revoke all on function api.metrics() from public;
grant execute on function api.metrics() to waybill_worker;
