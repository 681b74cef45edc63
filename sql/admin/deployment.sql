-- Which functions and views are over the tables, for those who may look but not
-- migrate.
create function admin.deployment()
returns table (sha256 text, schema_version integer, server_version integer,
    current_server_version integer, program_version text, deployed_at text)
language sql
stable
security definer
set search_path = waybill, pg_temp
begin atomic
    select d.sha256, d.schema_version, d.server_version,
        d.current_server_version, d.program_version, d.deployed_at
    from waybill.schema_deployment() d;
end;
revoke all on function admin.deployment() from public;
grant execute on function admin.deployment() to waybill_jobs;
