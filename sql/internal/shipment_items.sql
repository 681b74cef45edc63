-- The shipments of a body with their keys, and the keys of what they refer to:
-- an address or parcel that comes with one counts in fours behind its item.
create or replace function waybill.shipment_items(p_call uuid, p_items jsonb)
returns table (id uuid, easypost_id text, reference text, tracking_code text,
    status text, carrier text, service text, base_cost numeric,
    total_cost numeric, currency text, created_at timestamptz,
    purchased_at timestamptz, delivered_at timestamptz, weight numeric,
    delivery_days integer, delivery_date timestamptz,
    est_delivery_date timestamptz, signed_by text, batch_id text,
    extra_metadata jsonb, from_id uuid, to_id uuid, return_id uuid,
    buyer_id uuid, parcel_id uuid)
language plpgsql
stable
as $$
begin
    return query
        select waybill.item_id(p_call, i.at::integer - 1), i.easypost_id,
            i.reference, i.tracking_code, coalesce(i.status, 'unknown'),
            i.carrier, i.service, i.base_cost, i.total_cost, i.currency,
            coalesce(i.created_at, now()), i.purchased_at, i.delivered_at,
            waybill.to_measure(i.weight), i.delivery_days, i.delivery_date,
            i.est_delivery_date, i.signed_by, i.batch_id, i.extra_metadata,
            coalesce(waybill.find_address(i.from_address_id),
                waybill.address_key(p_call, i.at, 0, i.from_address)),
            coalesce(waybill.find_address(i.to_address_id),
                waybill.address_key(p_call, i.at, 1, i.to_address)),
            coalesce(waybill.find_address(i.return_address_id),
                waybill.address_key(p_call, i.at, 2, i.return_address)),
            coalesce(waybill.find_address(i.buyer_address_id),
                waybill.address_key(p_call, i.at, 3, i.buyer_address)),
            case when jsonb_typeof(i.parcel) = 'object'
                then waybill.item_id(p_call, i.at::integer - 1) end
        from rows from (jsonb_to_recordset(p_items) as (easypost_id text,
            reference text, tracking_code text, status text, carrier text,
            service text, base_cost numeric, total_cost numeric,
            currency text, created_at timestamptz, purchased_at timestamptz,
            delivered_at timestamptz, weight numeric, delivery_days integer,
            delivery_date timestamptz, est_delivery_date timestamptz,
            signed_by text, batch_id text, extra_metadata jsonb,
            from_address jsonb, to_address jsonb, return_address jsonb,
            buyer_address jsonb, parcel jsonb, from_address_id text,
            to_address_id text, return_address_id text,
            buyer_address_id text)) with ordinality as i (easypost_id,
            reference, tracking_code, status, carrier, service, base_cost,
            total_cost, currency, created_at, purchased_at, delivered_at,
            weight, delivery_days, delivery_date, est_delivery_date,
            signed_by, batch_id, extra_metadata, from_address, to_address,
            return_address, buyer_address, parcel, from_address_id,
            to_address_id, return_address_id, buyer_address_id, at);
end
$$;
revoke all on function waybill.shipment_items(uuid, jsonb) from public;
