-- Received webhooks: each event once, by its evt_ id, for ever.

create table waybill.webhook_event_ids (
    easypost_id text collate "C" primary key,
    id uuid not null
);
comment on table waybill.webhook_event_ids is
    'What makes an event count once, and finds it: a partitioned table cannot be
unique by anything but its partition key, and months of events may be retired';

create table waybill.webhook_events (
    id uuid not null constraint webhook_events_pkey primary key,
    easypost_id text collate "C" not null,
    description text,
    mode text,
    user_id text,
    object text,
    object_id text,
    payload json,
    raw bytea,
    state text not null
        constraint webhook_events_state_check
        check (state in ('applied', 'kept', 'failed')),
    error text,
    request_id text,
    occurred_at timestamptz,
    received_at timestamptz not null default now(),
    constraint webhook_events_payload_check
        check (num_nonnulls(payload, raw) = 1)
) partition by range (id);
comment on column waybill.webhook_events.state is
    'applied: its object is in the tables; kept: nothing to apply; failed: see
error, to be replayed';
comment on column waybill.webhook_events.raw is
    'The bytes of an event that PostgreSQL cannot take as JSON';
create index ix_webhook_events_object
    on waybill.webhook_events (object_id);
create index ix_webhook_events_failed
    on waybill.webhook_events (received_at)
    where state = 'failed';
select waybill.compress_fast('webhook_events', 'payload', 'raw');
insert into waybill.partition_rules (parent) values ('webhook_events');

grant select on waybill.webhook_event_ids, waybill.webhook_events
to waybill_reader;

select count(*) from waybill.ensure_partitions();
