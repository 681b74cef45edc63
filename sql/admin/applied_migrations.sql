-- What `waybill migrate` applied, for those who may look but not migrate.
create function admin.applied_migrations()
returns table (version integer, name text, sha256 text)
language sql
stable
security definer
set search_path = waybill, pg_temp
begin atomic
    select s.version, s.name, s.sha256
    from waybill.migration_status() s;
end;
revoke all on function admin.applied_migrations() from public;
grant execute on function admin.applied_migrations() to waybill_jobs;
