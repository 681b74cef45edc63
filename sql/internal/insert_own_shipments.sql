-- The rows of shipments that a person gave, their addresses and parcels being
-- written already.  They have no document, so that the first one that EasyPost
-- sends counts; what shows them finds all it needs in the row, as of mirrored
-- ones.
create or replace function waybill.insert_own_shipments(
    p_call uuid, p_items jsonb, p_mode text)
returns void
language plpgsql
as $$
begin
    insert into waybill.shipments (id, easypost_id, tracking_code, status,
        created_at, mode, reference, own_reference, from_address_id,
        to_address_id, return_address_id, buyer_address_id, parcel_id,
        base_cost, total_cost, currency, carrier, service, delivery_days,
        delivery_date, signed_by, weight, est_delivery_date, batch_id,
        purchased_at, promised_at, delivered_at, from_address, to_address,
        return_address, buyer_address, parcel, extra_metadata)
    select i.id, i.easypost_id, i.tracking_code, i.status, i.created_at,
        p_mode, i.reference, i.reference, i.from_id, i.to_id, i.return_id,
        i.buyer_id, i.parcel_id, i.base_cost, i.total_cost, i.currency,
        i.carrier, i.service, i.delivery_days, i.delivery_date, i.signed_by,
        coalesce(i.weight, p.weight), i.est_delivery_date, i.batch_id,
        i.purchased_at, coalesce(i.delivery_date,
            i.purchased_at + i.delivery_days * interval '1 day'),
        i.delivered_at, waybill.own_address_json(f),
        waybill.own_address_json(t),
        case when i.return_id is distinct from i.from_id
            then waybill.own_address_json(r) end,
        case when i.buyer_id is distinct from i.to_id
            then waybill.own_address_json(b) end,
        case when p.id is not null then json_build_object('id', p.id,
            'easypost_id', p.easypost_id, 'length', p.length,
            'width', p.width, 'height', p.height, 'weight', p.weight,
            'predefined_package', p.predefined_package) end,
        i.extra_metadata
    from waybill.shipment_items(p_call, p_items) i
    left join waybill.addresses f on f.id = i.from_id
    left join waybill.addresses t on t.id = i.to_id
    left join waybill.addresses r on r.id = i.return_id
    left join waybill.addresses b on b.id = i.buyer_id
    left join waybill.parcels p on p.id = i.parcel_id;
end
$$;
revoke all on function waybill.insert_own_shipments(uuid, jsonb, text)
from public;
