-- The addresses and parcels that come with the shipments of a body.
create or replace function waybill.insert_item_parts(
    p_call uuid, p_items jsonb, p_mode text)
returns void
language plpgsql
as $$
declare
    v_ids uuid[];
    v_docs jsonb[];
begin
    select array_agg(a.id), array_agg(a.doc)
    into v_ids, v_docs
    from (
        select waybill.address_key(p_call, i.at, r.role, r.doc), r.doc
        from jsonb_array_elements(p_items) with ordinality as i (doc, at)
        cross join lateral (values (0, i.doc -> 'from_address'),
            (1, i.doc -> 'to_address'), (2, i.doc -> 'return_address'),
            (3, i.doc -> 'buyer_address')) as r (role, doc)) as a (id, doc)
    where a.id is not null;
    if v_ids is not null then
        perform waybill.insert_own_addresses(v_ids, v_docs, p_mode);
    end if;
    select array_agg(waybill.item_id(p_call, i.at::integer - 1)),
        array_agg(i.doc -> 'parcel')
    into v_ids, v_docs
    from jsonb_array_elements(p_items) with ordinality as i (doc, at)
    where jsonb_typeof(i.doc -> 'parcel') = 'object';
    if v_ids is not null then
        perform waybill.insert_own_parcels(v_ids, v_docs, p_mode);
    end if;
end
$$;
revoke all on function waybill.insert_item_parts(uuid, jsonb, text)
from public;
