-- What is known of each tracking code, in the order of "tracking_codes": the newest
-- shipment that has it, or its tracker where no shipment of ours does, and the
-- latest event.  offset 0: as in api.find_tracking_code.
create function api.batch_track(p_body json)
returns table (tracking_code text, found boolean, status text, carrier text,
    service text, shipment_id uuid, tracker_id text, est_delivery_date timestamptz,
    delivered_at timestamptz, updated_at timestamptz, latest_event json)
language sql
stable
begin atomic
    select c.code,
        s.id is not null or t.id is not null,
        coalesce(s.status, t.status),
        coalesce(s.carrier, t.carrier),
        s.service,
        s.id,
        t.easypost_id,
        coalesce(s.est_delivery_date, t.est_delivery_date),
        coalesce(s.delivered_at, t.delivered_at),
        coalesce(s.updated_at, t.updated_at),
        coalesce(s.events, t.events) -> -1
    from json_array_elements_text(p_body -> 'tracking_codes') with ordinality as c (code, place)
    left join lateral (
        select k.id, k.status, k.carrier, k.service, k.est_delivery_date,
            k.delivered_at, k.updated_at, k.events
        from (
            select n.id, n.status, n.carrier, n.service, n.est_delivery_date,
                n.delivered_at, n.created_at, n.updated_at, n.events
            from api.shipment n
            where n.tracking_code = c.code
            offset 0) k
        order by k.created_at desc, k.id desc
        limit 1) s on true
    left join lateral (
        select k.id, k.easypost_id, k.status, k.carrier, k.est_delivery_date,
            k.delivered_at, k.updated_at, k.events
        from (
            select n.id, n.easypost_id, n.status, n.carrier,
                n.est_delivery_date, n.delivered_at, n.created_at,
                n.updated_at, n.events
            from api.trackers n
            where n.tracking_code = c.code
            offset 0) k
        order by k.created_at desc, k.id desc
        limit 1) t on true
    order by c.place;
end;
revoke all on function api.batch_track(json) from public;
grant execute on function api.batch_track(json) to waybill_worker;
