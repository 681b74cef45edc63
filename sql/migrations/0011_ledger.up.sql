-- Backfill and reconciliation: how far a walk through EasyPost's lists has come,
-- and what of a day was older here than there.

create table waybill.walks (
    id uuid primary key default waybill.uuid_generate_v7(),
    mode text not null
        constraint walks_mode_check check (mode in ('test', 'production')),
    object text not null,
    since timestamptz,
    until timestamptz,
    begun_at timestamptz not null default now(),
    before_id text,
    pages bigint not null default 0,
    objects bigint not null default 0,
    updated_at timestamptz not null default now(),
    finished_at timestamptz
);
comment on table waybill.walks is
    'Backfills, newest objects first: one that was cut short goes on behind before_id';
create unique index ix_walks_unfinished
    on waybill.walks (mode, object, coalesce(since, '-infinity'),
        coalesce(until, 'infinity'))
    where finished_at is null;

alter table waybill.reconciliation_ledger
    add column changed integer not null default 0
        constraint reconciliation_ledger_changed_check check (changed >= 0),
    add column last_page text;
comment on column waybill.reconciliation_ledger.last_page is
    'Of the newest day: the page that was added last, which counts once';
comment on column waybill.reconciliation_ledger.changed is
    'How many were here, but older than EasyPost''s';
comment on column waybill.reconciliation_ledger.missing_ids is
    'What EasyPost has and could not be recorded: at most the first hundred';

grant select on waybill.walks to waybill_reader;
