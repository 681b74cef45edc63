-- What the server knows of itself and of the work in the background, for /metrics:
-- samples without a label.  The lag of replicas only where there are any.
create or replace function waybill.server_samples()
returns table (metric text, value numeric)
language sql
stable
as $$
    with replicas as (
        select count(*) as count,
            coalesce(max(date_part('epoch', r.replay_lag)), 0) as lag_s
        from pg_stat_replication r
        where r.state in ('startup', 'catchup', 'streaming'))
    select 'database_connections', sum(d.numbackends)::numeric
    from pg_stat_database d
    union all
    select 'database_connections_limit',
        current_setting('max_connections')::numeric
        - current_setting('superuser_reserved_connections')::numeric
    union all
    select 'jobs_heartbeat_timestamp_seconds', coalesce((
        select date_part('epoch', m."timestamp")::numeric
        from waybill.system_metrics m
        order by m."timestamp" desc
        limit 1), 0)
    union all
    select 'figures_unmerged', count(d.xid)
    from waybill.shipment_deltas d
    union all
    select k.metric, k.value
    from waybill.bulk_backlog() b
    cross join lateral (
        values ('bulk_items_open', b.items::numeric),
            ('bulk_overdue_seconds', coalesce(b.overdue_s, 0)))
        as k (metric, value)
    union all
    select 'archive_late_seconds', coalesce(a.late_s, 0)
    from waybill.archive_state() a
    where not pg_is_in_recovery()
    union all
    select 'replicas', r.count
    from replicas r
    where not pg_is_in_recovery()
    union all
    -- a replica that has replayed all that it got is not late, however long ago
    -- the last change was
    select 'replication_lag_seconds', case
        when not pg_is_in_recovery() then r.lag_s
        when pg_last_wal_receive_lsn() = pg_last_wal_replay_lsn() then 0
        else date_part('epoch', now() - pg_last_xact_replay_timestamp())
        end::numeric
    from replicas r
    where r.count > 0
        or pg_is_in_recovery()
$$;
revoke all on function waybill.server_samples() from public;
