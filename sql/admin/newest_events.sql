-- The webhooks that came last.
create function admin.newest_events(p_count integer)
returns table (received_at timestamptz, description text, state text,
    object_id text)
language sql
stable
security definer
set search_path = waybill, pg_temp
begin atomic
    select e.received_at, e.description, e.state, e.object_id
    from waybill.webhook_events e
    order by e.id desc
    limit p_count;
end;
revoke all on function admin.newest_events(integer) from public;
grant execute on function admin.newest_events(integer) to waybill_jobs;
