-- One row a minute and host, of what its `waybill jobs` measured of the machine;
-- requests and their times are those of the minute before, of all hosts, from
-- user_activities.  A query is slow when its request has waited for the database for a
-- second, as in the server's log.  What nobody can know here stays null.
create function admin.record_system_metrics(p_host text, p_machine json)
returns void
language plpgsql
security definer
set search_path = waybill, pg_temp
as $$
declare
    v_until timestamptz := now() - interval '5 seconds';
    v_since timestamptz := v_until - interval '1 minute';
begin
    insert into waybill.system_metrics ("timestamp", host, total_requests,
        error_rate, avg_response_time_ms, p95_response_time_ms,
        p99_response_time_ms, api_requests_per_second, easypost_requests,
        easypost_errors, easypost_avg_response_time_ms, cache_hit_rate,
        cache_miss_rate, cpu_usage_percent, cpu_cores_used, memory_usage_mb,
        memory_percent, disk_usage_percent, active_connections, db_pool_size,
        db_connections_limit, db_slow_queries, db_connections_active, db_connections_idle,
        db_query_count)
    select now(), p_host, a.requests, a.error_rate, a.mean, a.times[1],
        a.times[2], round(a.requests / 60.0, 3), a.upstream, a.upstream_errors,
        a.upstream_mean, a.hit_rate, 100 - a.hit_rate, m.*,
        a.slow, d.*
    from (
        select count(*) as requests,
            round(100.0 * count(*) filter (where a.status_code >= 500)
                / nullif(count(*), 0), 3) as error_rate,
            round(avg(a.response_time_ms), 3) as mean,
            percentile_cont(array[0.95, 0.99]) within group (
                order by a.response_time_ms::double precision)::numeric(12, 3)[]
                as times,
            count(*) filter (where a.upstream_ms > 0) as upstream,
            count(*) filter (where a.upstream_ms > 0 and a.status_code >= 500)
                as upstream_errors,
            round(avg(a.upstream_ms) filter (where a.upstream_ms > 0), 3)
                as upstream_mean,
            round(100.0 * count(*) filter (where a.is_hit)
                / nullif(count(*), 0), 3) as hit_rate,
            count(*) filter (where a.database_ms >= 1000) as slow
        from (
            select u.status_code, u.response_time_ms,
                (u.extra_metadata ->> 'upstream_ms')::numeric as upstream_ms,
                (u.extra_metadata ->> 'database_ms')::numeric as database_ms,
                u.extra_metadata ->> 'cache' is not distinct from 'hit'
                    as is_hit
            from waybill.user_activities u
            where u."timestamp" >= v_since
                and u."timestamp" < v_until) a) a
    cross join json_to_record(p_machine) as m (cpu_usage_percent numeric,
        cpu_cores_used numeric, memory_usage_mb numeric,
        memory_percent numeric, disk_usage_percent numeric,
        active_connections integer, db_pool_size integer,
        db_connections_limit integer)
    cross join waybill.database_load() d;
end
$$;
revoke all on function admin.record_system_metrics(text, json) from public;
grant execute on function admin.record_system_metrics(text, json)
to waybill_jobs;
