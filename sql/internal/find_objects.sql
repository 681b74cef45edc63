-- The objects of one document that have a table, by kind.  Shipments and what
-- stands alone, the daily bread, are taken apart by hand; anything else is
-- searched through.
create or replace function waybill.find_objects(p_doc jsonb)
returns table (kind text, doc jsonb)
language plpgsql
immutable
rows 8
as $$
begin
    kind := p_doc ->> 'object';
    if kind in ('Tracker', 'Address', 'Parcel', 'CustomsInfo', 'Refund', 'Rate')
    then
        doc := p_doc;
        return next;
    elsif kind = 'Shipment' then
        return query values
            ('Address', p_doc -> 'from_address'),
            ('Address', p_doc -> 'to_address'),
            ('Address', p_doc -> 'return_address'),
            ('Address', p_doc -> 'buyer_address'),
            ('Address', p_doc -> 'scan_form' -> 'address'),
            ('Parcel', p_doc -> 'parcel'),
            ('CustomsInfo', p_doc -> 'customs_info'),
            ('Tracker', p_doc -> 'tracker'),
            ('Shipment', p_doc);
    else
        return query
            select o.value ->> 'object', o.value
            from jsonb_path_query(p_doc, 'strict $.** ? (@.object == "Shipment"
                || @.object == "Address" || @.object == "Parcel"
                || @.object == "CustomsInfo" || @.object == "Tracker"
                || @.object == "Batch" || @.object == "Refund"
                || @.object == "Rate")') as o (value);
    end if;
end
$$;
