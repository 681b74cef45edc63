-- How big the database is and what was asked for lately; a million requests are
-- counted at most.
create function admin.traffic()
returns table (database_bytes bigint, requests_minute bigint,
    requests_hour bigint, errors_hour bigint)
language sql
stable
security definer
set search_path = waybill, pg_temp
begin atomic
    select pg_database_size(current_database()),
        count(*) filter (where u."timestamp" > now() - interval '1 minute'),
        count(*),
        count(*) filter (where u.status_code >= 500)
    from (
        select u."timestamp", u.status_code
        from waybill.user_activities u
        where u."timestamp" > now() - interval '1 hour'
        order by u."timestamp" desc
        limit 1000000) u;
end;
revoke all on function admin.traffic() from public;
grant execute on function admin.traffic() to waybill_jobs;
