-- How many connections there are to have, and how many others have taken: those
-- of Waybill name themselves.  elsewhere: Waybill's that do not come from where the
-- caller comes from.  jobs: those of `waybill jobs` to this database.
create function admin.connections()
returns table (max_connections integer, reserved integer, others bigint,
    elsewhere bigint, jobs bigint)
language sql
stable
security definer
set search_path = waybill, pg_temp
begin atomic
    select current_setting('max_connections')::integer,
        current_setting('superuser_reserved_connections')::integer
            + coalesce(current_setting('reserved_connections', true)::integer,
                0),
        count(*) filter (where a.application_name not like 'waybill%'),
        count(*) filter (where a.application_name like 'waybill%'
            and a.client_addr is distinct from inet_client_addr()),
        count(*) filter (where a.application_name = 'waybill-jobs'
            and a.datname = current_database())
    from pg_catalog.pg_stat_activity a
    where a.usesysid is not null
        and a.datid is not null;
end;
revoke all on function admin.connections() from public;
grant execute on function admin.connections() to waybill_jobs;
