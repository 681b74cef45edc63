-- Customs declarations of documents, each with its items.
create or replace function waybill.record_customs_infos(
    p_docs jsonb[], p_mode text)
returns void
language plpgsql
as $$
begin
    insert into waybill.customs_infos as c (id, easypost_id, created_at,
        updated_at, contents_type, contents_explanation, customs_certify,
        customs_signer, non_delivery_option, restriction_type,
        restriction_comments, customs_items, eel_pfc, mode,
        doc_updated_at, doc_richness, doc_digest)
    select d.id, d.easypost_id, d.created_at, d.updated_at,
        d.doc ->> 'contents_type', d.doc ->> 'contents_explanation',
        waybill.to_flag(d.doc ->> 'customs_certify'),
        d.doc ->> 'customs_signer', d.doc ->> 'non_delivery_option',
        d.doc ->> 'restriction_type', d.doc ->> 'restriction_comments',
        d.doc -> 'customs_items', d.doc ->> 'eel_pfc',
        waybill.to_mode(d.doc ->> 'mode', p_mode),
        d.updated_at, d.richness, d.digest
    from waybill.distinct_documents(p_docs) d
    where not exists (
        select from waybill.customs_infos k
        where k.easypost_id = d.easypost_id
            and (k.doc_updated_at, k.doc_richness, k.doc_digest)
                >= (d.updated_at, d.richness, d.digest))
    order by d.easypost_id
    on conflict (easypost_id) do update
    set (created_at, updated_at, contents_type, contents_explanation,
        customs_certify, customs_signer, non_delivery_option, restriction_type,
        restriction_comments, customs_items, eel_pfc, mode, doc_updated_at,
        doc_richness, doc_digest, recorded_at) =
        (excluded.created_at, excluded.updated_at, excluded.contents_type,
        excluded.contents_explanation, excluded.customs_certify,
        excluded.customs_signer, excluded.non_delivery_option,
        excluded.restriction_type, excluded.restriction_comments,
        excluded.customs_items, excluded.eel_pfc, excluded.mode,
        excluded.doc_updated_at, excluded.doc_richness, excluded.doc_digest,
        now())
    where (excluded.doc_updated_at, excluded.doc_richness, excluded.doc_digest)
        > (c.doc_updated_at, c.doc_richness, c.doc_digest);
end
$$;
revoke all on function waybill.record_customs_infos(jsonb[], text) from public;
