-- Parcels of documents; a measure that is not above zero becomes null.
create or replace function waybill.record_parcels(p_docs jsonb[], p_mode text)
returns void
language plpgsql
as $$
begin
    insert into waybill.parcels as p (id, easypost_id, created_at, updated_at,
        length, width, height, weight, predefined_package, mode,
        doc_updated_at, doc_richness, doc_digest)
    select d.id, d.easypost_id, d.created_at, d.updated_at,
        nullif(waybill.to_number(d.doc ->> 'length'), 0),
        nullif(waybill.to_number(d.doc ->> 'width'), 0),
        nullif(waybill.to_number(d.doc ->> 'height'), 0),
        nullif(waybill.to_number(d.doc ->> 'weight'), 0),
        d.doc ->> 'predefined_package',
        waybill.to_mode(d.doc ->> 'mode', p_mode),
        d.updated_at, d.richness, d.digest
    from waybill.distinct_documents(p_docs) d
    where not exists (
        select from waybill.parcels k
        where k.easypost_id = d.easypost_id
            and (k.doc_updated_at, k.doc_richness, k.doc_digest)
                >= (d.updated_at, d.richness, d.digest))
    order by d.easypost_id
    on conflict (easypost_id) do update
    set (created_at, updated_at, length, width, height, weight,
        predefined_package, mode, doc_updated_at, doc_richness, doc_digest,
        recorded_at) =
        (excluded.created_at, excluded.updated_at, excluded.length,
        excluded.width, excluded.height, excluded.weight,
        excluded.predefined_package, excluded.mode, excluded.doc_updated_at,
        excluded.doc_richness, excluded.doc_digest, now())
    where (excluded.doc_updated_at, excluded.doc_richness, excluded.doc_digest)
        > (p.doc_updated_at, p.doc_richness, p.doc_digest);
end
$$;
revoke all on function waybill.record_parcels(jsonb[], text) from public;
