-- The objects of a document that have a table, wherever they lie in it.
create or replace function waybill.find_objects(p_doc jsonb)
returns table (kind text, doc jsonb)
language plpgsql
immutable
rows 8
as $$
begin
    return query
        select o.value ->> 'object', o.value
        from jsonb_path_query(p_doc, 'strict $.** ? (@.object == "Shipment"
            || @.object == "Address" || @.object == "Parcel"
            || @.object == "CustomsInfo" || @.object == "Tracker"
            || @.object == "Batch" || @.object == "Refund"
            || @.object == "Rate" || @.object == "ShipmentInvoice")')
            as o (value);
end
$$;
revoke all on function waybill.find_objects(jsonb) from public;
