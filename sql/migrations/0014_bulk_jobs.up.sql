-- Bulk calls that are too large to be done while the client waits: their items wait
-- here, and workers of the pool that calls EasyPost work them off.
alter table waybill.batch_operations add column wait_until timestamptz;
comment on column waybill.batch_operations.wait_until is
    'Of a bulk call that is worked off behind its answer: when it goes on; null once
it has ended, and for all others';
create index ix_batch_operations_queue
    on waybill.batch_operations (wait_until)
    where wait_until is not null;

create table waybill.bulk_items (
    id uuid primary key,
    batch_id text collate "C" not null
        constraint bulk_items_batch_fkey
        references waybill.batch_operations (batch_id) on delete cascade,
    index integer not null
        constraint bulk_items_index_check check (index >= 0),
    state text not null default 'pending'
        constraint bulk_items_state_check check (state in ('pending',
            'sending', 'in_doubt', 'success', 'failed', 'not_sent')),
    created_at timestamptz not null default now(),
    request json,
    buys boolean not null,
    reference text,
    attempts integer not null default 0,
    take_id uuid,
    sent_at timestamptz,
    looked_at timestamptz,
    finished_at timestamptz,
    shipment_id text collate "C",
    tracking_code text,
    error json
);
comment on table waybill.bulk_items is
    'The shipments of a bulk call that is worked off behind its answer';
comment on column waybill.bulk_items.take_id is
    'The round that sent it last: what becomes of that counts, and of no other';
comment on column waybill.bulk_items.request is
    'As it came, for EasyPost; gone when it has become a shipment';
comment on column waybill.bulk_items.looked_at is
    'When EasyPost was asked what became of an item in doubt, or would have been: one
without a reference nobody can find';
create index ix_bulk_items_batch on waybill.bulk_items (batch_id, id);
-- What still has to be done.
create index ix_bulk_items_open
    on waybill.bulk_items (batch_id, id desc)
    where state in ('pending', 'sending')
        or (state = 'in_doubt' and looked_at is null);
grant select on waybill.bulk_items to waybill_reader;
