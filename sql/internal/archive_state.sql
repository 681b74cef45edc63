-- Whether PostgreSQL hands what it has written to an archive (archive_mode), whether
-- the last attempt failed, and for how long something has waited to be taken: null
-- where nothing waits, nor in a standby, where this is its primary's business.
create or replace function waybill.archive_state()
returns table (mode text, is_failing boolean, late_s bigint)
language sql
stable
as $$
    select s.mode, s.is_failing,
        case when s.is_failing or s.is_waiting then waybill.seconds_since(
            coalesce(s.last_archived_time, s.stats_reset)) end
    from (
        select m.mode, a.last_archived_time, a.stats_reset,
            m.is_active and a.failed_count > 0 and a.last_failed_time
                > coalesce(a.last_archived_time, '-infinity') as is_failing,
            -- the segment before the one that is being written
            case when m.is_active then left(a.last_archived_wal, 24)
                < pg_walfile_name(pg_current_wal_lsn() - pg_size_bytes(
                    current_setting('wal_segment_size'))) end as is_waiting
        from pg_stat_archiver a
        cross join (
            select current_setting('archive_mode'),
                current_setting('archive_mode') <> 'off'
                    and not pg_is_in_recovery()) as m (mode, is_active)) s
$$;
revoke all on function waybill.archive_state() from public;
