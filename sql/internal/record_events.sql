-- New details of a tracker as events.  The key is made of the detail itself:
-- the same detail is the same row, whoever brings it.
create or replace function waybill.record_events(
    p_tracker_id uuid, p_shipment_id uuid, p_details jsonb)
returns void
language plpgsql
as $$
begin
    insert into waybill.shipment_events (id, tracker_id, shipment_id,
        created_at, status, status_detail, message, description, source,
        carrier_status, tracking_location, event_datetime)
    select waybill.easypost_uuid(t.at, p_tracker_id::text || d.value::text),
        p_tracker_id, p_shipment_id,
        coalesce(t.at, waybill.uuid_time(p_tracker_id)),
        waybill.to_brief(d.value ->> 'status', 200),
        d.value ->> 'status_detail',
        waybill.to_brief(d.value ->> 'message', 1600),
        d.value ->> 'description', d.value ->> 'source',
        waybill.to_brief(d.value ->> 'carrier_code', 400),
        case jsonb_typeof(d.value -> 'tracking_location') when 'object'
            then nullif((d.value -> 'tracking_location') - 'object', '{}')
        end,
        t.at
    from jsonb_array_elements(p_details) d
    cross join lateral (select waybill.to_time(d.value ->> 'datetime'))
        as t (at)
    order by 1
    on conflict do nothing;
end
$$;
revoke all on function waybill.record_events(uuid, uuid, jsonb) from public;
