drop index waybill.ix_shipments_reference;
create index ix_shipments_reference
    on waybill.shipments (reference, created_at)
    where reference is not null;
drop index waybill.ix_shipments_buyer_address;
create index ix_shipments_buyer_address
    on waybill.shipments (buyer_address_id)
    where buyer_address_id <> to_address_id;
drop index waybill.ix_shipments_return_address;
create index ix_shipments_return_address
    on waybill.shipments (return_address_id)
    where return_address_id <> from_address_id;
drop index waybill.ix_shipments_from_address;
create index ix_shipments_from_address
    on waybill.shipments (from_address_id);
drop trigger addresses_search_words_update on waybill.addresses;
drop trigger addresses_search_words_insert on waybill.addresses;
drop function waybill.note_search_words();
drop table waybill.search_words;
drop function waybill.word_distance(text, text, integer);

-- What lies in our schema was ours; elsewhere it is somebody else's.
do $$
begin
    if exists (
        select
        from pg_catalog.pg_extension e
        where e.extname = 'fuzzystrmatch'
            and e.extnamespace = 'waybill'::regnamespace)
    then
        drop extension fuzzystrmatch;
    end if;
end
$$;

alter table waybill.addresses drop column search_vector;
alter table waybill.addresses add column search_vector tsvector
    generated always as (to_tsvector('simple',
        left(coalesce(name, ''), 200) || ' ' || left(coalesce(company, ''), 200)
        || ' ' || left(coalesce(street1, ''), 200)
        || ' ' || left(coalesce(street2, ''), 200)
        || ' ' || left(coalesce(city, ''), 200)
        || ' ' || left(coalesce(state, ''), 200)
        || ' ' || left(coalesce(zip, ''), 200)
        || ' ' || coalesce(country, '')
        || ' ' || left(coalesce(email, ''), 200))) stored;
create index ix_addresses_search
    on waybill.addresses using gin (search_vector) with (fastupdate = off);
drop function waybill.search_vector(text);
drop function waybill.search_text(text);
