-- Where the database's time goes: statements by the time that they took in all,
-- since the counts were last reset.  Empty without pg_stat_statements: see
-- docs/monitoring.md.
create or replace view waybill.slow_statements as
    select s.role,
        s.query,
        sum(s.calls)::bigint as calls,
        round((sum(s.total_ms) / nullif(sum(s.calls), 0))::numeric, 3)
            as mean_ms,
        round(max(s.max_ms)::numeric, 3) as max_ms,
        round(sum(s.total_ms)::numeric, 3) as total_ms,
        round((100 * sum(s.total_ms)
            / nullif(sum(sum(s.total_ms)) over (), 0))::numeric, 2)
            as total_percent,
        sum(s.row_count)::bigint as row_count,
        round(100.0 * sum(s.blocks_hit)
            / nullif(sum(s.blocks_hit + s.blocks_read), 0), 2) as hit_percent,
        sum(s.temp_blocks)::bigint
            * current_setting('block_size')::bigint as temp_bytes,
        sum(s.wal_bytes)::bigint as wal_bytes
    from waybill.statements() s
    group by s.role, s.query
    order by sum(s.total_ms) desc;
grant select on waybill.slow_statements to waybill_reader;
