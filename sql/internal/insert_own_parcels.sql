-- Parcels that a person gave, checked already, with the keys that they get.
create or replace function waybill.insert_own_parcels(
    p_ids uuid[], p_docs jsonb[], p_mode text)
returns void
language plpgsql
as $$
begin
    insert into waybill.parcels (id, length, width, height, weight,
        predefined_package, mode)
    select d.id, waybill.to_measure(p.length), waybill.to_measure(p.width),
        waybill.to_measure(p.height), waybill.to_measure(p.weight),
        p.predefined_package, p_mode
    from unnest(p_ids, p_docs) as d (id, doc)
    cross join lateral jsonb_to_record(d.doc) as p (length numeric,
        width numeric, height numeric, weight numeric,
        predefined_package text);
end
$$;
revoke all on function waybill.insert_own_parcels(uuid[], jsonb[], text)
from public;
