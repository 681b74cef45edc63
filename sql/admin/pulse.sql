-- When what happens in the background last happened, in seconds ago, and what it
-- left undone; null: never.  One row.
create function admin.pulse()
returns table (heartbeat_s bigint, refreshed_s bigint, drift bigint,
    drift_day bigint, reconciled_s bigint, incomplete bigint,
    incomplete_days integer, unsent bigint, queued bigint, overdue_s bigint, failed bigint,
    failed_events bigint, unmerged bigint, bulk_items bigint,
    bulk_overdue_s bigint, archive_mode text, is_archive_failing boolean,
    archive_late_s bigint, is_counting boolean, epoch numeric)
language sql
stable
security definer
set search_path = waybill, pg_temp
begin atomic
    select (
            select waybill.seconds_since(max(m."timestamp"))
            from waybill.system_metrics m),
        r.refreshed_s, r.drift, r.drift_day, l.reconciled_s, l.incomplete,
        l.incomplete_days, l.unsent, j.queued, j.overdue_s, j.failed, (
            select count(*)
            from waybill.webhook_events e
            where e.state = 'failed'), (
            select count(*)
            from waybill.shipment_deltas),
        k.items, k.overdue_s, a.mode, a.is_failing, a.late_s,
        exists (
            select
            from pg_extension x
            where x.extname = 'pg_stat_statements'),
        extract(epoch from clock_timestamp())
    from (
        select waybill.seconds_since(max(h.started_at)) as refreshed_s,
            coalesce(sum(h.drift) filter (where h.age = 1), 0)::bigint as drift,
            coalesce(sum(h.drift) filter (
                where h.started_at > now() - interval '1 day'), 0)::bigint
                as drift_day
        from (
            select h.started_at, h.drift, row_number() over (
                    partition by h.view_name
                    order by h.started_at desc) as age
            from waybill.refresh_history h
            where h.result = 'refreshed'
                and h.started_at > now() - interval '30 days') h) r
    cross join waybill.ledger_gaps() l
    cross join waybill.bulk_backlog() k
    cross join waybill.archive_state() a
    cross join (
        select count(*) filter (where j.state = 'queued') as queued,
            waybill.seconds_since(min(j.run_at) filter (
                where j.state = 'queued' and j.run_at <= now())) as overdue_s,
            count(*) filter (where j.state = 'failed') as failed
        from waybill.jobs j
        where j.state in ('queued', 'failed')) j;
end;
revoke all on function admin.pulse() from public;
grant execute on function admin.pulse() to waybill_jobs;
