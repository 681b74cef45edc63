-- The mirror of EasyPost: what the documents say, in typed columns.
--
-- Each mirrored row is a function of the set of documents seen so far, never of
-- their order: doc_updated_at, doc_richness and doc_digest name the document
-- whose values stand in the row, and only a greater triple replaces them.
-- recorded_at is the one column that tells when we wrote, so it may differ
-- between two databases that saw the same documents.
-- Constraints are only such that our own functions guarantee: what EasyPost
-- sends is kept, never refused.

create table waybill.addresses (
    id uuid primary key default waybill.uuid_generate_v7(),
    easypost_id text collate "C"
        constraint addresses_easypost_id_key unique,
    created_at timestamptz not null default now(),
    updated_at timestamptz not null default now(),
    name text,
    company text,
    street1 text,
    street2 text,
    city text,
    state text,
    zip text,
    country text
        constraint addresses_country_check check (country ~ '^[A-Z]{2}$'),
    phone text,
    email text,
    verifications jsonb,
    is_residential boolean,
    carrier_facility text,
    federal_tax_id text,
    state_tax_id text,
    mode text not null default 'production'
        constraint addresses_mode_check check (mode in ('test', 'production')),
    deleted_at timestamptz,
    doc_updated_at timestamptz not null default '-infinity',
    doc_richness integer not null default 0,
    doc_digest bigint not null default 0,
    recorded_at timestamptz not null default now(),
    search_vector tsvector generated always as (to_tsvector('simple',
        left(coalesce(name, ''), 200) || ' ' || left(coalesce(company, ''), 200)
        || ' ' || left(coalesce(street1, ''), 200)
        || ' ' || left(coalesce(street2, ''), 200)
        || ' ' || left(coalesce(city, ''), 200)
        || ' ' || left(coalesce(state, ''), 200)
        || ' ' || left(coalesce(zip, ''), 200)
        || ' ' || coalesce(country, '')
        || ' ' || left(coalesce(email, ''), 200))) stored
);
comment on column waybill.addresses.country is
    'ISO 3166 alpha-2; null when EasyPost sent something else (see documents)';
create index ix_addresses_created
    on waybill.addresses (created_at desc, id desc)
    where deleted_at is null;
create index ix_addresses_place
    on waybill.addresses (country, state, city);
-- Without a pending list: 7 % more a shipment, but none that waits 20 ms and
-- more for the list to be merged.
create index ix_addresses_search
    on waybill.addresses using gin (search_vector) with (fastupdate = off);

create table waybill.parcels (
    id uuid primary key default waybill.uuid_generate_v7(),
    easypost_id text collate "C"
        constraint parcels_easypost_id_key unique,
    created_at timestamptz not null default now(),
    updated_at timestamptz not null default now(),
    length numeric constraint parcels_length_check check (length > 0),
    width numeric constraint parcels_width_check check (width > 0),
    height numeric constraint parcels_height_check check (height > 0),
    weight numeric constraint parcels_weight_check check (weight > 0),
    predefined_package text,
    mass_unit text not null default 'oz',
    distance_unit text not null default 'in',
    mode text not null default 'production'
        constraint parcels_mode_check check (mode in ('test', 'production')),
    doc_updated_at timestamptz not null default '-infinity',
    doc_richness integer not null default 0,
    doc_digest bigint not null default 0,
    recorded_at timestamptz not null default now()
);
comment on column waybill.parcels.weight is
    'Null when EasyPost sent nothing above zero; EasyPost measures in ounces';

create table waybill.customs_infos (
    id uuid primary key default waybill.uuid_generate_v7(),
    easypost_id text collate "C"
        constraint customs_infos_easypost_id_key unique,
    created_at timestamptz not null default now(),
    updated_at timestamptz not null default now(),
    contents_type text,
    contents_explanation text,
    customs_certify boolean,
    customs_signer text,
    non_delivery_option text,
    restriction_type text,
    restriction_comments text,
    customs_items jsonb,
    eel_pfc text,
    mode text not null default 'production'
        constraint customs_infos_mode_check
        check (mode in ('test', 'production')),
    doc_updated_at timestamptz not null default '-infinity',
    doc_richness integer not null default 0,
    doc_digest bigint not null default 0,
    recorded_at timestamptz not null default now()
);

create table waybill.trackers (
    id uuid primary key default waybill.uuid_generate_v7(),
    easypost_id text collate "C" not null
        constraint trackers_easypost_id_key unique,
    created_at timestamptz not null,
    updated_at timestamptz not null,
    tracking_code text collate "C",
    carrier text,
    status text not null default 'unknown',
    status_detail text,
    mode text not null default 'production'
        constraint trackers_mode_check check (mode in ('test', 'production')),
    shipment_easypost_id text collate "C",
    shipment_id uuid,
    signed_by text,
    weight numeric,
    est_delivery_date timestamptz,
    delivered_at timestamptz,
    is_return boolean,
    finalized boolean,
    public_url text,
    carrier_detail jsonb,
    tracking_details json,
    doc_updated_at timestamptz not null,
    doc_richness integer not null,
    doc_digest bigint not null,
    recorded_at timestamptz not null default now()
) with (fillfactor = 85);
comment on column waybill.trackers.shipment_id is
    'The shipment it belongs to, once known: by shipment_easypost_id, else the
newest with its carrier and tracking code.  No foreign key: either may come first';
comment on column waybill.trackers.tracking_details is
    'Union of the details of every document seen, oldest first, nulls left out';
create index ix_trackers_shipment on waybill.trackers (shipment_id);
create index ix_trackers_shipment_easypost
    on waybill.trackers (shipment_easypost_id)
    where shipment_easypost_id is not null;
create index ix_trackers_tracking_code on waybill.trackers (tracking_code);

create table waybill.shipments (
    id uuid primary key default waybill.uuid_generate_v7(),
    easypost_id text collate "C"
        constraint shipments_easypost_id_key unique,
    tracking_code text collate "C",
    status text not null default 'unknown',
    created_at timestamptz not null default now(),
    updated_at timestamptz not null default now(),
    mode text not null default 'production'
        constraint shipments_mode_check check (mode in ('test', 'production')),
    reference text,
    from_address_id uuid constraint shipments_from_address_fkey
        references waybill.addresses,
    to_address_id uuid constraint shipments_to_address_fkey
        references waybill.addresses,
    return_address_id uuid constraint shipments_return_address_fkey
        references waybill.addresses,
    buyer_address_id uuid constraint shipments_buyer_address_fkey
        references waybill.addresses,
    parcel_id uuid constraint shipments_parcel_fkey
        references waybill.parcels,
    customs_info_id uuid constraint shipments_customs_info_fkey
        references waybill.customs_infos,
    selected_rate_id text,
    rates_data json,
    base_cost numeric
        constraint shipments_base_cost_check check (base_cost >= 0),
    total_cost numeric
        constraint shipments_total_cost_check check (total_cost >= 0),
    insurance numeric
        constraint shipments_insurance_check check (insurance >= 0),
    currency text
        constraint shipments_currency_check check (currency ~ '^[A-Z]{3}$'),
    carrier text,
    service text,
    delivery_days integer
        constraint shipments_delivery_days_check check (delivery_days >= 0),
    delivery_date timestamptz,
    tracking_details json,
    signed_by text,
    weight numeric constraint shipments_weight_check check (weight > 0),
    est_delivery_date timestamptz,
    is_return boolean,
    order_id text collate "C",
    batch_id text collate "C",
    batch_status text,
    refund_status text,
    label_url text,
    tracker_id uuid,
    purchased_at timestamptz,
    promised_at timestamptz,
    delivered_at timestamptz,
    from_address json,
    to_address json,
    return_address json,
    buyer_address json,
    parcel json,
    customs_info json,
    extra_metadata jsonb,
    deleted_at timestamptz,
    doc_status text,
    doc_tracking_code text collate "C",
    doc_carrier text,
    doc_refund_status text,
    doc_batch_id text collate "C",
    doc_batch_status text,
    doc_updated_at timestamptz not null default '-infinity',
    doc_richness integer not null default 0,
    doc_digest bigint not null default 0,
    recorded_at timestamptz not null default now()
) with (fillfactor = 85);
comment on table waybill.shipments is
    'One row a shipment.  The doc_ columns are what its newest document says;
status, tracking, batch and refund columns also follow its tracker, batch and refund';
comment on column waybill.shipments.base_cost is
    'The selected rate; null before the purchase';
comment on column waybill.shipments.total_cost is
    'Sum of the fees that were not refunded; the selected rate when none are told';
comment on column waybill.shipments.delivery_date is
    'What the carrier promised with the selected rate';
comment on column waybill.shipments.promised_at is
    'delivery_date, else the purchase plus delivery_days: on time is measured by it';
comment on column waybill.shipments.from_address is
    'Ready to show, so that reads need no join; so are the other addresses, parcel
and customs_info';
comment on column waybill.shipments.return_address is
    'Null when it is from_address';
comment on column waybill.shipments.buyer_address is
    'Null when it is to_address';
create index ix_shipments_created
    on waybill.shipments (created_at desc, id desc)
    where deleted_at is null;
create index ix_shipments_carrier_service_created
    on waybill.shipments (carrier, service, created_at);
create index ix_shipments_status_created
    on waybill.shipments (status, created_at);
create index ix_shipments_to_address_created
    on waybill.shipments (to_address_id, created_at);
create index ix_shipments_from_address
    on waybill.shipments (from_address_id);
create index ix_shipments_return_address
    on waybill.shipments (return_address_id)
    where return_address_id <> from_address_id;
create index ix_shipments_buyer_address
    on waybill.shipments (buyer_address_id)
    where buyer_address_id <> to_address_id;
create index ix_shipments_tracking_covering
    on waybill.shipments (tracking_code)
    include (status, carrier, service, updated_at);
create index ix_shipments_active
    on waybill.shipments (created_at desc)
    where deleted_at is null and status not in ('delivered',
        'return_to_sender', 'failure', 'cancelled', 'canceled', 'error');
create index ix_shipments_failed
    on waybill.shipments (created_at desc)
    where deleted_at is null and status in ('failure', 'error', 'cancelled');
create index ix_shipments_batch
    on waybill.shipments (batch_id, created_at)
    where batch_id is not null;
create index ix_shipments_reference
    on waybill.shipments (reference, created_at)
    where reference is not null;
create index ix_shipments_extra_metadata
    on waybill.shipments using gin (extra_metadata jsonb_path_ops)
    where extra_metadata is not null;

create table waybill.shipment_events (
    id uuid not null,
    tracker_id uuid not null,
    shipment_id uuid,
    created_at timestamptz not null default now(),
    status text,
    status_detail text,
    message text,
    description text,
    source text,
    carrier_status text,
    tracking_location jsonb,
    event_datetime timestamptz,
    recorded_at timestamptz not null default now(),
    constraint shipment_events_pkey primary key (tracker_id, id)
) partition by range (tracker_id);
comment on table waybill.shipment_events is
    'The union of all tracking details seen; id is a hash of the detail itself';
comment on column waybill.shipment_events.created_at is
    'The time of the event, else of its tracker: the same whoever records it';
create index ix_shipment_events_covering
    on waybill.shipment_events (shipment_id, event_datetime desc)
    include (status, message, carrier_status);
insert into waybill.partition_rules (parent) values ('shipment_events');

create table waybill.refunds (
    id uuid primary key default waybill.uuid_generate_v7(),
    easypost_id text collate "C" not null
        constraint refunds_easypost_id_key unique,
    created_at timestamptz not null,
    updated_at timestamptz not null,
    mode text not null default 'production'
        constraint refunds_mode_check check (mode in ('test', 'production')),
    status text,
    tracking_code text collate "C",
    carrier text,
    confirmation_number text,
    shipment_easypost_id text collate "C",
    doc_updated_at timestamptz not null,
    doc_richness integer not null,
    doc_digest bigint not null,
    recorded_at timestamptz not null default now()
);
create index ix_refunds_shipment on waybill.refunds (shipment_easypost_id);
create index ix_refunds_tracking_code on waybill.refunds (tracking_code);

create table waybill.rates (
    id uuid primary key default waybill.uuid_generate_v7(),
    easypost_id text collate "C" not null
        constraint rates_easypost_id_key unique,
    created_at timestamptz not null,
    updated_at timestamptz not null,
    mode text not null default 'production'
        constraint rates_mode_check check (mode in ('test', 'production')),
    shipment_easypost_id text collate "C",
    carrier text,
    service text,
    rate numeric constraint rates_rate_check check (rate >= 0),
    list_rate numeric constraint rates_list_rate_check check (list_rate >= 0),
    retail_rate numeric
        constraint rates_retail_rate_check check (retail_rate >= 0),
    currency text,
    delivery_days integer,
    delivery_date timestamptz,
    delivery_date_guaranteed boolean,
    carrier_account_id text,
    doc_updated_at timestamptz not null,
    doc_richness integer not null,
    doc_digest bigint not null,
    recorded_at timestamptz not null default now()
);
comment on table waybill.rates is
    'Rates that came on their own (a new rating, a single rate).  Those inside a
shipment stay in shipments.rates_data; shipment_rates shows all';
create index ix_rates_shipment on waybill.rates (shipment_easypost_id);

create view waybill.shipment_rates as
    select s.easypost_id as shipment_easypost_id,
        r.value ->> 'id' as easypost_id,
        r.value ->> 'carrier' as carrier,
        r.value ->> 'service' as service,
        r.value ->> 'rate' as rate,
        r.value ->> 'currency' as currency,
        r.value ->> 'delivery_days' as delivery_days
    from waybill.shipments s
    cross join lateral json_array_elements(s.rates_data) as r (value)
    union all
    select s.easypost_id,
        s.selected_rate_id,
        s.carrier,
        s.service,
        s.base_cost::text,
        s.currency,
        s.delivery_days::text
    from waybill.shipments s
    where s.selected_rate_id is not null
        and not exists (
            select
            from json_array_elements(s.rates_data) as r (value)
            where r.value ->> 'id' = s.selected_rate_id)
    union all
    select r.shipment_easypost_id,
        r.easypost_id,
        r.carrier,
        r.service,
        r.rate::text,
        r.currency,
        r.delivery_days::text
    from waybill.rates r;

create table waybill.documents (
    digest bytea primary key
        constraint documents_digest_check check (octet_length(digest) = 32),
    object text,
    easypost_id text collate "C",
    mode text not null,
    body json,
    raw bytea,
    flaw text,
    method text,
    path text,
    query text,
    status integer,
    request_id text,
    received_at timestamptz not null default now(),
    constraint documents_body_check check (num_nonnulls(body, raw) <= 1)
);
comment on table waybill.documents is
    'Every answer of EasyPost as it came, once: the digest is SHA-256 of its
bytes (of a list: of each element).  Secrets are blanked before they get here';
comment on column waybill.documents.raw is
    'The bytes of a body that PostgreSQL cannot take as JSON; flaw says why';
create index ix_documents_easypost_id
    on waybill.documents (easypost_id, received_at)
    where easypost_id is not null;

select waybill.compress_fast('documents', 'body', 'raw');
select waybill.compress_fast('shipments', 'rates_data', 'tracking_details',
    'from_address', 'to_address');
select waybill.compress_fast('trackers', 'tracking_details', 'carrier_detail');

grant select on waybill.addresses, waybill.parcels, waybill.customs_infos,
    waybill.trackers, waybill.shipments, waybill.shipment_events,
    waybill.refunds, waybill.rates, waybill.shipment_rates, waybill.documents
to waybill_reader;

select count(*) from waybill.ensure_partitions();
