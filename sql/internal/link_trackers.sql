-- A shipment is new, or its tracking code changed: trackers that came before it
-- find it now.  Gives the shipments to settle: this one when it got or lost a
-- tracker, and those that had it before.
create or replace function waybill.link_trackers(
    p_shipment_id uuid, p_key text, p_old_code text, p_code text)
returns uuid[]
language plpgsql
as $$
declare
    v_touched uuid[];
    v_tracker record;
    v_target uuid;
begin
    for v_tracker in
        select t.id, t.shipment_id, t.shipment_easypost_id, t.carrier,
            t.tracking_code, t.mode
        from waybill.trackers t
        where t.shipment_easypost_id = p_key
            and t.shipment_id is distinct from p_shipment_id
        union all
        select t.id, t.shipment_id, t.shipment_easypost_id, t.carrier,
            t.tracking_code, t.mode
        from waybill.trackers t
        where t.tracking_code in (p_old_code, p_code)
            and t.shipment_easypost_id is null
        order by 1
    loop
        v_target := waybill.shipment_of(v_tracker.shipment_easypost_id,
            v_tracker.carrier, v_tracker.tracking_code, v_tracker.mode);
        continue when v_target is not distinct from v_tracker.shipment_id;
        update waybill.trackers t
        set shipment_id = v_target
        where t.id = v_tracker.id;
        update waybill.shipment_events e
        set shipment_id = v_target
        where e.tracker_id = v_tracker.id;
        v_touched := v_touched || v_tracker.shipment_id || v_target;
    end loop;
    return v_touched;
end
$$;
revoke all on function waybill.link_trackers(uuid, text, text, text)
from public;
