-- Tables by their size, all partitions of one together.  Rows are estimates; many
-- dead ones beside few updates that are HOT make a table, and above all its
-- indexes, larger than what they hold.
create or replace view waybill.table_sizes as
    select t.relname::text as table_name,
        count(*) as partitions,
        sum(s.n_live_tup)::bigint as live_rows,
        sum(s.n_dead_tup)::bigint as dead_rows,
        round(100.0 * sum(s.n_dead_tup)
            / nullif(sum(s.n_live_tup + s.n_dead_tup), 0), 1) as dead_percent,
        round(100.0 * sum(s.n_tup_hot_upd) / nullif(sum(s.n_tup_upd), 0), 1)
            as hot_update_percent,
        sum(pg_table_size(s.relid))::bigint as table_bytes,
        sum(pg_indexes_size(s.relid))::bigint as index_bytes,
        sum(pg_total_relation_size(s.relid))::bigint as total_bytes
    from pg_stat_user_tables s
    join pg_class t on t.oid = coalesce(pg_partition_root(s.relid), s.relid)
    where s.schemaname = 'waybill'
        and t.relkind in ('r', 'p')
    group by t.oid, t.relname
    order by sum(pg_total_relation_size(s.relid)) desc;
grant select on waybill.table_sizes to waybill_reader;
