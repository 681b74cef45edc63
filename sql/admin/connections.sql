-- How many connections there are to have, and how many are not p_host's: others, that
-- have taken theirs, because those of Waybill name themselves; elsewhere, what
-- Waybill's other hosts of the last hour may take at most, or what they have if that
-- is more (it does not come from where the caller comes from).  jobs: those of
-- `waybill jobs` to this database.
create function admin.connections(p_host text)
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
        greatest(count(*) filter (where a.application_name like 'waybill%'
            and a.client_addr is distinct from inet_client_addr()), (
                select coalesce(sum(h.db_connections_limit), 0)
                from (
                    select distinct on (m.host) m.db_connections_limit
                    from waybill.system_metrics m
                    where m."timestamp" > now() - interval '1 hour'
                        and m.host <> p_host
                    order by m.host, m."timestamp" desc) h)),
        count(*) filter (where a.application_name = 'waybill-jobs'
            and a.datname = current_database())
    from pg_catalog.pg_stat_activity a
    where a.usesysid is not null
        and a.datid is not null;
end;
revoke all on function admin.connections(text) from public;
grant execute on function admin.connections(text) to waybill_jobs;
