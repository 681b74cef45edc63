-- When each table and partition was last vacuumed and analysed, what autovacuum
-- waits for, and how near the forced freeze is (100 percent: it is due).
create or replace view waybill.vacuum_state as
    select s.relname::text as table_name,
        s.n_live_tup as live_rows,
        s.n_dead_tup as dead_rows,
        round(o.threshold + o.scale * greatest(c.reltuples, 0)::numeric)::bigint
            as vacuum_at_dead_rows,
        s.n_dead_tup > o.threshold + o.scale * greatest(c.reltuples, 0)::numeric
            as is_vacuum_due,
        greatest(s.last_vacuum, s.last_autovacuum) as last_vacuum,
        greatest(s.last_analyze, s.last_autoanalyze) as last_analyze,
        s.n_mod_since_analyze as changed_since_analyze,
        age(c.relfrozenxid) as transaction_age,
        round(100.0 * age(c.relfrozenxid)
            / current_setting('autovacuum_freeze_max_age')::numeric, 1)
            as freeze_percent
    from pg_stat_user_tables s
    join pg_class c on c.oid = s.relid
    cross join lateral (
        select coalesce(max(p.option_value) filter (
                    where p.option_name = 'autovacuum_vacuum_threshold'),
                current_setting('autovacuum_vacuum_threshold'))::numeric
                as threshold,
            coalesce(max(p.option_value) filter (
                    where p.option_name = 'autovacuum_vacuum_scale_factor'),
                current_setting('autovacuum_vacuum_scale_factor'))::numeric
                as scale
        from pg_options_to_table(c.reloptions) p) o
    where s.schemaname = 'waybill'
        and c.relkind = 'r'
    order by s.n_dead_tup desc, s.relname;
grant select on waybill.vacuum_state to waybill_reader;
