-- Requests that nginx answered out of its cache, as it noted them, with what the
-- worker said that made the answer; as admin.record_activities otherwise.
create function admin.record_hits(p_lines json)
returns table (brought bigint)
language sql
volatile
security definer
set search_path = waybill, pg_temp
begin atomic
    with lines as (
        select l.*,
            to_timestamp(l."timestamp" - l.seconds) as began_at,
            l.said::jsonb as said_json
        from json_to_recordset(p_lines) as l (key text,
            "timestamp" double precision, seconds double precision,
            method text, endpoint text, user_agent text, ip_address inet,
            status_code integer, bytes bigint, request_id text, said text)),
    new_rows as (
        insert into waybill.user_activities (id, user_id, "timestamp", action,
            resource, resource_id, method, endpoint, user_agent, ip_address,
            status_code, response_time_ms, extra_metadata, request_id)
        select waybill.easypost_uuid(to_timestamp(l."timestamp"), l.key),
            l.said_json ->> 'user_id', l.began_at, l.said_json ->> 'action',
            l.said_json ->> 'resource', l.said_json ->> 'resource_id',
            left(l.method, 16), left(l.endpoint, 500),
            nullif(left(l.user_agent, 300), ''),
            case l.said_json ->> 'addresses'
                when 'full' then l.ip_address
                when 'truncated' then network(set_masklen(l.ip_address,
                    case family(l.ip_address) when 4 then 24 else 48 end))
            end,
            l.status_code, (l.seconds * 1000)::numeric,
            (l.said_json -> 'extra_metadata') || jsonb_build_object(
                'cache', 'hit', 'bytes', l.bytes, 'database_ms', 0,
                'upstream_ms', 0),
            l.request_id
        from lines l
        on conflict do nothing
        returning 1)
    select count(*) from new_rows;
end;
revoke all on function admin.record_hits(json) from public;
grant execute on function admin.record_hits(json) to waybill_jobs;
