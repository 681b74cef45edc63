-- The object of an event: nearly always a tracker, which needs no search.  Gives
-- the number of objects that it recognised.
create or replace function waybill.record_event_object(
    p_doc jsonb, p_mode text)
returns integer
language plpgsql
as $$
begin
    if p_doc ->> 'object' is distinct from 'Tracker' then
        return waybill.record_objects(array[p_doc], p_mode);
    end if;
    perform waybill.lock_objects(array[p_doc]);
    if waybill.to_key(p_doc ->> 'id') is not null then
        perform waybill.settle_shipment(t.id)
        from unnest(waybill.record_tracker(p_doc, p_mode, null, null)) as t (id)
        where t.id is not null;
    end if;
    return 1;
end
$$;
revoke all on function waybill.record_event_object(jsonb, text) from public;
