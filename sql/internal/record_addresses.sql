-- Addresses of documents.  What is known already costs one look and no lock.
create or replace function waybill.record_addresses(
    p_docs jsonb[], p_mode text)
returns void
language plpgsql
as $$
begin
    insert into waybill.addresses as a (id, easypost_id, created_at, updated_at,
        name, company, street1, street2, city, state, zip, country, phone,
        email, verifications, is_residential, carrier_facility, federal_tax_id,
        state_tax_id, mode, doc_updated_at, doc_richness, doc_digest)
    select d.id, d.easypost_id, d.created_at, d.updated_at,
        d.doc ->> 'name', d.doc ->> 'company', d.doc ->> 'street1',
        d.doc ->> 'street2', waybill.to_brief(d.doc ->> 'city', 400),
        waybill.to_brief(d.doc ->> 'state', 400), d.doc ->> 'zip',
        case when d.doc ->> 'country' ~ '^[A-Z]{2}$'
            then d.doc ->> 'country' end,
        d.doc ->> 'phone', d.doc ->> 'email', d.doc -> 'verifications',
        waybill.to_flag(d.doc ->> 'residential'),
        d.doc ->> 'carrier_facility', d.doc ->> 'federal_tax_id',
        d.doc ->> 'state_tax_id', waybill.to_mode(d.doc ->> 'mode', p_mode),
        d.updated_at, d.richness, d.digest
    from waybill.distinct_documents(p_docs) d
    where not exists (
        select from waybill.addresses k
        where k.easypost_id = d.easypost_id
            and (k.doc_updated_at, k.doc_richness, k.doc_digest)
                >= (d.updated_at, d.richness, d.digest))
    order by d.easypost_id
    on conflict (easypost_id) do update
    set (created_at, updated_at, name, company, street1, street2, city, state,
        zip, country, phone, email, verifications, is_residential,
        carrier_facility, federal_tax_id, state_tax_id, mode,
        doc_updated_at, doc_richness, doc_digest, recorded_at) =
        (excluded.created_at, excluded.updated_at, excluded.name,
        excluded.company, excluded.street1, excluded.street2, excluded.city,
        excluded.state, excluded.zip, excluded.country, excluded.phone,
        excluded.email, excluded.verifications, excluded.is_residential,
        excluded.carrier_facility, excluded.federal_tax_id,
        excluded.state_tax_id, excluded.mode, excluded.doc_updated_at,
        excluded.doc_richness, excluded.doc_digest, now())
    where (excluded.doc_updated_at, excluded.doc_richness, excluded.doc_digest)
        > (a.doc_updated_at, a.doc_richness, a.doc_digest);
end
$$;
revoke all on function waybill.record_addresses(jsonb[], text) from public;
