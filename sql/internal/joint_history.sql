-- The details of all trackers of a shipment, oldest first.
create or replace function waybill.joint_history(p_shipment_id uuid)
returns json
language sql
stable
as $$
    select json_agg(u.detail
        order by waybill.to_time(u.detail ->> 'datetime') nulls first,
            u.detail)
    from (
        select distinct d.value::text::jsonb as detail
        from waybill.trackers t
        cross join lateral json_array_elements(t.tracking_details) d
        where t.shipment_id = p_shipment_id) u
$$;
revoke all on function waybill.joint_history(uuid) from public;
