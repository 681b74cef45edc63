-- The third step of a rebuild: applies events again, behind p_after.
create function admin.rebuild_events(p_after uuid, p_limit integer)
returns table (last uuid, done bigint, failed bigint)
language plpgsql
security definer
set search_path = waybill, pg_temp
set timezone = 'UTC'
set plan_cache_mode = force_generic_plan
set enable_seqscan = off
as $$
declare
    v_id uuid;
    v_state text;
begin
    done := 0;
    failed := 0;
    for v_id in
        select e.id
        from waybill.webhook_events e
        where e.id > p_after
        order by e.id
        limit p_limit
    loop
        last := v_id;
        done := done + 1;
        select r.state into v_state from waybill.replay_event(v_id) r;
        failed := failed + (v_state = 'failed')::integer;
    end loop;
    return next;
end
$$;
revoke all on function admin.rebuild_events(uuid, integer) from public;
grant execute on function admin.rebuild_events(uuid, integer) to waybill_jobs;
