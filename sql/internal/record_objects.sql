-- Records every object in the documents that has a table; the one path of
-- answers and webhooks.  Idempotent, and the same whatever the order: locks in
-- the order objects < addresses < parcels < customs < rates < journeys, each
-- sorted by key.  Gives the number of objects that it recognised.
-- Shipments and trackers, the daily bread, are taken apart by hand: to search
-- them through costs ten times as much.
create or replace function waybill.record_objects(p_docs jsonb[], p_mode text)
returns integer
language plpgsql
as $$
declare
    v_addresses jsonb[];
    v_parcels jsonb[];
    v_customs jsonb[];
    v_rates jsonb[];
    v_journeys jsonb[];
    v_doc jsonb;
    v_found record;
    v_count integer := 0;
begin
    foreach v_doc in array p_docs loop
        v_count := v_count + 1;
        case v_doc ->> 'object'
        when 'Shipment' then
            v_addresses := v_addresses || array[v_doc -> 'from_address',
                v_doc -> 'to_address', v_doc -> 'return_address',
                v_doc -> 'buyer_address', v_doc -> 'scan_form' -> 'address'];
            v_parcels := array_append(v_parcels, v_doc -> 'parcel');
            v_customs := array_append(v_customs, v_doc -> 'customs_info');
            v_journeys := v_journeys || array[v_doc -> 'tracker', v_doc];
        when 'Tracker', 'Refund', 'ShipmentInvoice' then
            v_journeys := array_append(v_journeys, v_doc);
        when 'Address' then
            v_addresses := array_append(v_addresses, v_doc);
        else
            v_count := v_count - 1;
            for v_found in select o.kind, o.doc from waybill.find_objects(v_doc) o
            loop
                v_count := v_count + 1;
                case v_found.kind
                when 'Address' then
                    v_addresses := array_append(v_addresses, v_found.doc);
                when 'Parcel' then
                    v_parcels := array_append(v_parcels, v_found.doc);
                when 'CustomsInfo' then
                    v_customs := array_append(v_customs, v_found.doc);
                when 'Rate' then
                    v_rates := array_append(v_rates, v_found.doc);
                else
                    v_journeys := array_append(v_journeys, v_found.doc);
                end case;
            end loop;
        end case;
    end loop;
    perform waybill.write_objects(v_addresses, v_parcels, v_customs, v_rates,
        v_journeys, p_mode);
    return v_count;
end
$$;
revoke all on function waybill.record_objects(jsonb[], text) from public;
