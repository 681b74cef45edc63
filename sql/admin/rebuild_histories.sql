-- The last step of a rebuild: the events of trackers behind p_after, out of their
-- histories; what is in none goes.
create function admin.rebuild_histories(p_after uuid, p_limit integer)
returns table (last uuid, done bigint)
language plpgsql
security definer
set search_path = waybill, pg_temp
set timezone = 'UTC'
set plan_cache_mode = force_generic_plan
set enable_seqscan = off
as $$
declare
    v record;
begin
    done := 0;
    for v in
        select t.id, t.shipment_id,
            coalesce(t.tracking_details, '[]')::jsonb as details
        from waybill.trackers t
        where t.id > p_after
        order by t.id
        limit p_limit
        for no key update
    loop
        last := v.id;
        done := done + 1;
        delete from waybill.shipment_events e
        where e.tracker_id = v.id
            and not exists (
                select from jsonb_array_elements(v.details) d
                where waybill.easypost_uuid(
                    waybill.to_time(d.value ->> 'datetime'),
                    v.id::text || d.value::text) = e.id);
        update waybill.shipment_events e
        set shipment_id = v.shipment_id
        where e.tracker_id = v.id
            and e.shipment_id is distinct from v.shipment_id;
        perform waybill.record_events(v.id, v.shipment_id, v.details);
    end loop;
    return next;
end
$$;
revoke all on function admin.rebuild_histories(uuid, integer) from public;
grant execute on function admin.rebuild_histories(uuid, integer)
to waybill_jobs;
