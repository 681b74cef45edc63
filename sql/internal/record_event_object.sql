-- The object of an event: nearly always a tracker, which needs no search.  Gives
-- the number of objects that it recognised.
create or replace function waybill.record_event_object(p_event jsonb)
returns integer
language plpgsql
as $$
declare
    v_doc jsonb := p_event -> 'result';
    v_mode text := p_event ->> 'mode';
begin
    if v_doc ->> 'object' = 'ShipmentInvoice' then
        if waybill.to_key(v_doc ->> 'id') is null then
            return 0;
        end if;
        -- it has no time of its own, by which the later one of two could be told
        v_doc := v_doc || jsonb_build_object('event', p_event -> 'description',
            'updated_at', coalesce(v_doc ->> 'updated_at',
                p_event ->> 'created_at'));
    end if;
    if v_doc ->> 'object' is distinct from 'Tracker' then
        return waybill.record_objects(array[v_doc], v_mode);
    end if;
    perform waybill.lock_objects(array[v_doc]);
    if waybill.to_key(v_doc ->> 'id') is not null then
        perform waybill.settle_shipment(t.id, false)
        from unnest(waybill.record_tracker(v_doc, v_mode, null, null)) as t (id)
        where t.id is not null;
    end if;
    return 1;
end
$$;
revoke all on function waybill.record_event_object(jsonb) from public;
