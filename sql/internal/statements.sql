-- What pg_stat_statements counted in this database; no row where it is not
-- installed or not loaded.  With the owner's rights, therefore without what such a
-- reader must not see: no comment before a statement, and of statements whose
-- values PostgreSQL does not replace by $1 (alter role ... password '...') only
-- the first word.
create or replace function waybill.statements()
returns table (role text, query text, calls bigint, total_ms double precision,
    max_ms double precision, row_count bigint, blocks_hit bigint,
    blocks_read bigint, temp_blocks bigint, wal_bytes numeric)
language plpgsql
stable
security definer
set search_path = pg_catalog, pg_temp
as $$
declare
    v_schema text := (
        select n.nspname
        from pg_extension e
        join pg_namespace n on n.oid = e.extnamespace
        where e.extname = 'pg_stat_statements');
    v_counted json;
begin
    if v_schema is null then
        return;
    end if;
    execute format($query$
        select json_agg(s)
        from %I.pg_stat_statements s
        join pg_database d on d.oid = s.dbid
        where d.datname = current_database()$query$, v_schema)
    into v_counted;
    return query
        select r.rolname::text,
            case when t.query
                ~* '^(select|insert|update|delete|merge|with|values)\M'
                then t.query
                else concat(substring(t.query, '^\w+'), ' ...') end,
            s.calls, s.total_exec_time, s.max_exec_time, s.rows,
            s.shared_blks_hit, s.shared_blks_read,
            s.temp_blks_read + s.temp_blks_written, s.wal_bytes
        from json_to_recordset(v_counted) as s (userid oid, query text,
            calls bigint, total_exec_time double precision,
            max_exec_time double precision, rows bigint,
            shared_blks_hit bigint, shared_blks_read bigint,
            temp_blks_read bigint, temp_blks_written bigint,
            wal_bytes numeric)
        cross join lateral (
            select regexp_replace(s.query, '^(\s|--[^\n]*\n)+', '')) t (query)
        left join pg_roles r on r.oid = s.userid;
exception
    when object_not_in_prerequisite_state then
        return; -- it is not in shared_preload_libraries
end
$$;
revoke all on function waybill.statements() from public;
grant execute on function waybill.statements() to waybill_reader;
