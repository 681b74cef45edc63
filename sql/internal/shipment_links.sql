-- The rows that a shipment's document refers to.  They were written just
-- before; looked up all the same, because a key once given never changes.
create or replace function waybill.shipment_links(
    p_doc jsonb,
    out from_address_id uuid, out to_address_id uuid,
    out return_address_id uuid, out buyer_address_id uuid, out parcel_id uuid,
    out customs_info_id uuid, out from_address json, out to_address json,
    out return_address json, out buyer_address json, out parcel json,
    out customs_info json)
language plpgsql
stable
as $$
begin
    select (select a.id from waybill.addresses a
            where a.easypost_id = p_doc -> 'from_address' ->> 'id'),
        (select a.id from waybill.addresses a
            where a.easypost_id = p_doc -> 'to_address' ->> 'id'),
        (select a.id from waybill.addresses a
            where a.easypost_id = p_doc -> 'return_address' ->> 'id'),
        (select a.id from waybill.addresses a
            where a.easypost_id = p_doc -> 'buyer_address' ->> 'id'),
        (select p.id from waybill.parcels p
            where p.easypost_id = p_doc -> 'parcel' ->> 'id'),
        (select c.id from waybill.customs_infos c
            where c.easypost_id = p_doc -> 'customs_info' ->> 'id')
    into from_address_id, to_address_id, return_address_id, buyer_address_id,
        parcel_id, customs_info_id;
    from_address := waybill.address_json(p_doc -> 'from_address',
        from_address_id);
    to_address := waybill.address_json(p_doc -> 'to_address', to_address_id);
    parcel := waybill.parcel_json(p_doc -> 'parcel', parcel_id);
    if return_address_id is distinct from from_address_id then
        return_address := waybill.address_json(p_doc -> 'return_address',
            return_address_id);
    end if;
    if buyer_address_id is distinct from to_address_id then
        buyer_address := waybill.address_json(p_doc -> 'buyer_address',
            buyer_address_id);
    end if;
    if customs_info_id is not null then
        customs_info := waybill.customs_json(p_doc -> 'customs_info',
            customs_info_id);
    end if;
end
$$;
revoke all on function waybill.shipment_links(jsonb) from public;
