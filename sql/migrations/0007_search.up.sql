-- Search: the words of addresses, compared without case and accents, and a
-- vocabulary that knows what a mistyped word may have meant.
--
-- What is kept and what is asked for go through the same two functions, so they
-- cannot differ.  They are immutable and belong to PostgreSQL alone: no
-- dictionary file whose next version would no longer fit what is stored.

do $$
begin
    if getdatabaseencoding() <> 'UTF8' then
        raise exception 'the database is %: only UTF8 can be searched',
            getdatabaseencoding();
    end if;
end
$$;

-- A text as search compares it: lower case, accents off, special letters as
-- their plain ones.  Composed again at the end: scripts that write a syllable
-- in one character keep it.  Most texts are ASCII and need nothing of that.
create function waybill.search_text(p_text text)
returns text
language sql
immutable
strict
parallel safe
begin atomic
    select lower(case when octet_length(p_text) = length(p_text) then p_text
        else normalize(translate(replace(replace(replace(replace(
            regexp_replace(normalize(lower(p_text), NFKD), '[\u0300-\u036f]+',
            '', 'g'), 'ß', 'ss'), 'æ', 'ae'), 'œ', 'oe'), 'þ', 'th'),
            'łøđðħıς', 'loddhiσ'), NFC) end);
end;

-- The words of a text: what punctuation divides is several, what an apostrophe
-- divides is one.  Without their positions, which would make every row longer
-- and are good for phrases only.
create function waybill.search_vector(p_text text)
returns tsvector
language sql
immutable
strict
parallel safe
begin atomic
    select strip(to_tsvector('simple', translate(
        waybill.search_text(p_text), '@./-_<>&:+''’`´', '          ')));
end;

alter table waybill.addresses drop column search_vector;
alter table waybill.addresses add column search_vector tsvector
    generated always as (waybill.search_vector(
        left(coalesce(name, ''), 200) || ' ' || left(coalesce(company, ''), 200)
        || ' ' || left(coalesce(street1, ''), 200)
        || ' ' || left(coalesce(street2, ''), 200)
        || ' ' || left(coalesce(city, ''), 200)
        || ' ' || left(coalesce(state, ''), 200)
        || ' ' || left(coalesce(zip, ''), 200)
        || ' ' || coalesce(country, '')
        || ' ' || left(coalesce(email, ''), 200))) stored;
comment on column waybill.addresses.search_vector is
    'Its words for search, by waybill.search_vector: ask with a tsquery of plain
lower-case words';
-- Without a pending list: 7 % more a shipment, but none that waits 20 ms and
-- more for the list to be merged.
create index ix_addresses_search
    on waybill.addresses using gin (search_vector) with (fastupdate = off);

-- Whoever has put the extension elsewhere keeps it there.
create extension if not exists fuzzystrmatch schema waybill;

-- How many letters differ; more than p_max is only said to be more.
do $$
begin
    execute format('create function waybill.word_distance('
        || 'p_one text, p_other text, p_max integer) returns integer'
        || ' language sql immutable strict parallel safe begin atomic'
        || ' select %I.levenshtein_less_equal(p_one, p_other, p_max); end', (
            select n.nspname
            from pg_catalog.pg_extension e
            join pg_catalog.pg_namespace n on n.oid = e.extnamespace
            where e.extname = 'fuzzystrmatch'));
end
$$;

create table waybill.search_words (
    word text collate "C" not null,
    reversed text collate "C"
        generated always as (reverse(word)) stored,
    middle text collate "C"
        generated always as (substr(word, 3, 3)) stored
);
comment on table waybill.search_words is
    'Every word of 4 to 40 letters that an address ever had.  Not unique: two
transactions that bring the same new word must not wait for each other';
comment on column waybill.search_words.middle is
    'Two errors spoil two of a word''s three parts, so it is found by the third';
create index ix_search_words_word on waybill.search_words (word);
create index ix_search_words_reversed on waybill.search_words (reversed);
create index ix_search_words_middle on waybill.search_words (middle, word);

-- Notes the words that nobody had yet.  The look for each is a subquery with a
-- limit, which is never made a join: a plan kept from a small table stays good.
create function waybill.note_search_words()
returns trigger
language plpgsql
security definer
set search_path = waybill, pg_temp
as $$
begin
    insert into waybill.search_words (word)
    select distinct w.word
    from changed c
    cross join lateral unnest(tsvector_to_array(c.search_vector)) as w (word)
    where length(w.word) between 4 and 40
        and w.word !~ '[0-9]'
        and (
            select true
            from waybill.search_words k
            where k.word = w.word
            limit 1) is null;
    return null;
end
$$;
create trigger addresses_search_words_insert
    after insert on waybill.addresses
    referencing new table as changed
    for each statement execute function waybill.note_search_words();
create trigger addresses_search_words_update
    after update on waybill.addresses
    referencing new table as changed
    for each statement execute function waybill.note_search_words();

insert into waybill.search_words (word)
select w.word
from (
    select distinct unnest(tsvector_to_array(a.search_vector)) as word
    from waybill.addresses a) w
where length(w.word) between 4 and 40
    and w.word !~ '[0-9]';

-- The newest shipments of an address, and those whose reference begins so.
drop index waybill.ix_shipments_from_address;
create index ix_shipments_from_address
    on waybill.shipments (from_address_id, created_at);
drop index waybill.ix_shipments_return_address;
create index ix_shipments_return_address
    on waybill.shipments (return_address_id, created_at)
    where return_address_id <> from_address_id;
drop index waybill.ix_shipments_buyer_address;
create index ix_shipments_buyer_address
    on waybill.shipments (buyer_address_id, created_at)
    where buyer_address_id <> to_address_id;
drop index waybill.ix_shipments_reference;
create index ix_shipments_reference
    on waybill.shipments (reference text_pattern_ops, created_at)
    where reference is not null;

revoke all on function
    waybill.search_text(text),
    waybill.search_vector(text),
    waybill.word_distance(text, text, integer),
    waybill.note_search_words()
from public;
grant execute on function
    waybill.search_text(text),
    waybill.search_vector(text)
to waybill_reader;
grant select on waybill.search_words to waybill_reader;
