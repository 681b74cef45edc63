-- How what happens in the background gets on, for /health.
create function api.background()
returns json
language plpgsql
stable
security definer
set search_path = waybill, pg_temp
as $$
begin
    return json_build_object(
        'figures', (
            select json_build_object(
                'unmerged', (select count(*) from waybill.shipment_deltas),
                'compared_at', waybill.moment_text(max(h.started_at)),
                'drift', sum(h.drift)
                    filter (where h.started_at > now() - interval '1 day'))
            from waybill.refresh_history h
            where h.started_at > now() - interval '30 days'
                and h.drift is not null),
        'events', json_build_object(
            'last_at', waybill.moment_text((
                select e.received_at
                from waybill.webhook_events e
                order by e.id desc
                limit 1)),
            'failed', (
                select count(*)
                from waybill.webhook_events e
                where e.state = 'failed')),
        'jobs', (
            select json_build_object(
                'queued', count(*) filter (where j.state = 'queued'),
                'failed', count(*) filter (where j.state = 'failed'))
            from waybill.jobs j
            where j.state in ('queued', 'failed')));
end
$$;
revoke all on function api.background() from public;
grant execute on function api.background() to waybill_worker;
