-- Indexes by their size, all partitions of one together.  Unused: no scan since
-- counted_since, and no constraint needs it.
create or replace view waybill.index_usage as
    with indexes as (
        select coalesce(pg_partition_root(s.relid), s.relid) as relid,
            coalesce(pg_partition_root(s.indexrelid), s.indexrelid) as indexrelid,
            s.idx_scan,
            s.idx_tup_read,
            pg_relation_size(s.indexrelid) as bytes,
            i.indisunique or exists (
                select
                from pg_constraint k
                where k.conindid = s.indexrelid) as is_needed
        from pg_stat_user_indexes s
        join pg_index i on i.indexrelid = s.indexrelid
        where s.schemaname = 'waybill')
    select t.relname::text as table_name,
        n.relname::text as index_name,
        count(*) as partitions,
        sum(i.bytes)::bigint as bytes,
        sum(i.idx_scan)::bigint as scans,
        sum(i.idx_tup_read)::bigint as entries_read,
        bool_or(i.is_needed) as is_constraint,
        sum(i.idx_scan) = 0 and not bool_or(i.is_needed) as is_unused,
        (
            select coalesce(d.stats_reset, pg_postmaster_start_time())
            from pg_stat_database d
            where d.datname = current_database()) as counted_since
    from indexes i
    join pg_class t on t.oid = i.relid
    join pg_class n on n.oid = i.indexrelid
    group by t.oid, t.relname, n.oid, n.relname
    order by sum(i.bytes) desc;
grant select on waybill.index_usage to waybill_reader;
