-- Requests that have ended, as the pools noted them; each has its key, so that
-- lines may come again.  Tells how many were new.
create function admin.record_activities(p_lines json)
returns table (brought bigint)
language sql
volatile
security definer
set search_path = waybill, pg_temp
begin atomic
    with new_rows as (
        insert into waybill.user_activities (id, user_id, "timestamp", action,
            resource, resource_id, method, endpoint, user_agent, ip_address,
            status_code, response_time_ms, error_message, extra_metadata,
            request_id)
        select l.id, l.user_id, to_timestamp(l."timestamp"), l.action,
            l.resource, l.resource_id, l.method, l.endpoint, l.user_agent,
            l.ip_address, l.status_code, l.response_time_ms, l.error_message,
            l.extra_metadata, l.request_id
        from json_to_recordset(p_lines) as l (id uuid, user_id text,
            "timestamp" double precision, action text, resource text,
            resource_id text, method text, endpoint text, user_agent text,
            ip_address inet, status_code integer, response_time_ms numeric,
            error_message text, extra_metadata jsonb, request_id text)
        on conflict do nothing
        returning 1)
    select count(*) from new_rows;
end;
revoke all on function admin.record_activities(json) from public;
grant execute on function admin.record_activities(json) to waybill_jobs;
