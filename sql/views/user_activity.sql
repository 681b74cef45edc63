-- Who asked for what, when, and how it ended.
create view api.user_activity as
    select u.id,
        u."timestamp",
        u.user_id,
        u.session_id,
        u.action,
        u.resource,
        u.resource_id,
        u.method,
        u.endpoint,
        u.status_code,
        u.response_time_ms,
        u.error_message,
        u.request_id,
        host(u.ip_address) as ip_address,
        u.user_agent,
        u.extra_metadata
    from waybill.user_activities u;
grant select on api.user_activity to waybill_worker;
