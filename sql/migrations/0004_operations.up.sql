-- Operations: who may call, what was asked for, what happened.

create table waybill.api_keys (
    id uuid primary key default waybill.uuid_generate_v7(),
    key_sha256 bytea not null
        constraint api_keys_key_sha256_key unique
        constraint api_keys_key_sha256_check
        check (octet_length(key_sha256) = 32),
    prefix text not null
        constraint api_keys_prefix_check check (length(prefix) between 4 and 16),
    name text not null
        constraint api_keys_name_check check (length(name) between 1 and 200),
    mode text not null
        constraint api_keys_mode_check check (mode in ('test', 'production')),
    scopes text[] not null
        constraint api_keys_scopes_check
        check (scopes <@ array['read', 'write', 'admin'] and scopes <> '{}'),
    requests_per_second integer
        constraint api_keys_requests_check check (requests_per_second > 0),
    daily_spending_limit numeric
        constraint api_keys_spending_check check (daily_spending_limit >= 0),
    created_at timestamptz not null default now(),
    expires_at timestamptz,
    revoked_at timestamptz
);
comment on table waybill.api_keys is
    'Gateway keys.  The key itself is nowhere: its SHA-256 and first characters';

create table waybill.idempotency_claims (
    id uuid primary key default waybill.uuid_generate_v7(),
    caller text not null,
    idempotency_key text not null
        constraint idempotency_claims_key_check
        check (length(idempotency_key) between 1 and 255),
    method text not null,
    path text not null,
    request_sha256 bytea not null,
    state text not null default 'running'
        constraint idempotency_claims_state_check
        check (state in ('running', 'done', 'in_doubt')),
    status_code integer,
    response bytea,
    created_at timestamptz not null default now(),
    finished_at timestamptz,
    expires_at timestamptz not null default now() + interval '24 hours',
    constraint idempotency_claims_caller_key unique (caller, idempotency_key)
);
comment on column waybill.idempotency_claims.state is
    'in_doubt: the call may have been made; EasyPost is asked before another';
create index ix_idempotency_claims_expires
    on waybill.idempotency_claims (expires_at);

create table waybill.batch_operations (
    id uuid primary key default waybill.uuid_generate_v7(),
    batch_id text collate "C" not null
        constraint batch_operations_batch_id_key unique,
    operation_type text not null,
    created_at timestamptz not null default now(),
    started_at timestamptz,
    completed_at timestamptz,
    status text not null default 'pending',
    total_items integer not null default 0
        constraint batch_operations_total_check check (total_items >= 0),
    processed_items integer not null default 0
        constraint batch_operations_processed_check
        check (processed_items >= 0),
    successful_items integer not null default 0
        constraint batch_operations_successful_check
        check (successful_items >= 0),
    failed_items integer not null default 0
        constraint batch_operations_failed_check check (failed_items >= 0),
    total_processing_time numeric generated always as
        (date_part('epoch', completed_at - started_at)::numeric) stored,
    avg_item_time numeric generated always as
        (date_part('epoch', completed_at - started_at)::numeric
            / nullif(processed_items, 0)) stored,
    errors jsonb,
    user_id text,
    source text,
    parameters jsonb,
    updated_at timestamptz not null default now(),
    mode text not null default 'production'
        constraint batch_operations_mode_check
        check (mode in ('test', 'production')),
    reference text,
    label_url text,
    num_shipments integer,
    created_count integer,
    queued_for_purchase_count integer,
    creation_failed_count integer,
    postage_purchased_count integer,
    postage_purchase_failed_count integer,
    doc_updated_at timestamptz not null default '-infinity',
    doc_richness integer not null default 0,
    doc_digest bigint not null default 0,
    recorded_at timestamptz not null default now()
);
comment on table waybill.batch_operations is
    'Batches of EasyPost (operation_type easypost_batch) and our own bulk calls.
The _count columns are the five counters of an EasyPost batch; times in seconds';
create index ix_batch_operations_status_created
    on waybill.batch_operations (status, created_at desc);
create index ix_batch_operations_created
    on waybill.batch_operations (created_at desc);

create table waybill.batch_items (
    batch_id text collate "C" not null
        constraint batch_items_batch_fkey
        references waybill.batch_operations (batch_id) on delete cascade,
    shipment_easypost_id text collate "C" not null,
    batch_status text,
    batch_message text,
    tracking_code text,
    constraint batch_items_pkey primary key (batch_id, shipment_easypost_id)
);
comment on table waybill.batch_items is
    'The shipments of a batch as its newest document lists them';
create index ix_batch_items_shipment
    on waybill.batch_items (shipment_easypost_id);

create table waybill.jobs (
    id uuid primary key default waybill.uuid_generate_v7(),
    kind text not null,
    payload jsonb not null default '{}',
    state text not null default 'queued'
        constraint jobs_state_check
        check (state in ('queued', 'running', 'done', 'failed', 'cancelled')),
    attempts integer not null default 0
        constraint jobs_attempts_check check (attempts >= 0),
    max_attempts integer not null default 5,
    run_at timestamptz not null default now(),
    created_at timestamptz not null default now(),
    started_at timestamptz,
    finished_at timestamptz,
    worker text,
    result jsonb,
    error text,
    request_id text
);
comment on table waybill.jobs is
    'The queue; workers take with for update skip locked, oldest run_at first';
create index ix_jobs_due on waybill.jobs (run_at) where state = 'queued';
create index ix_jobs_running on waybill.jobs (started_at)
    where state = 'running';

create table waybill.audit_log (
    id uuid not null default waybill.uuid_generate_v7()
        constraint audit_log_pkey primary key,
    created_at timestamptz not null default now(),
    actor text not null default coalesce(
        nullif(current_setting('waybill.actor', true), ''), session_user),
    action text not null,
    table_name text not null,
    row_id text,
    old_row jsonb,
    new_row jsonb,
    request_id text default
        nullif(current_setting('waybill.request_id', true), '')
) partition by range (id);
comment on table waybill.audit_log is
    'What people changed: keys, own fields of shipments, soft deletes.  The mirror
itself is not audited: its documents are its history';
create index ix_audit_log_row on waybill.audit_log (table_name, row_id);

create table waybill.user_activities (
    id uuid not null default waybill.uuid_generate_v7()
        constraint user_activities_pkey primary key,
    user_id text,
    session_id text,
    "timestamp" timestamptz not null default now(),
    action text,
    resource text,
    resource_id text,
    method text,
    endpoint text,
    user_agent text,
    ip_address inet,
    status_code integer,
    response_time_ms numeric
        constraint user_activities_time_check check (response_time_ms >= 0),
    error_message text,
    extra_metadata jsonb,
    request_id text
) partition by range (id);
create index ix_user_activities_timestamp
    on waybill.user_activities ("timestamp" desc);
create index ix_user_activities_user
    on waybill.user_activities (user_id, "timestamp" desc);

create table waybill.system_metrics (
    id uuid not null default waybill.uuid_generate_v7()
        constraint system_metrics_pkey primary key,
    "timestamp" timestamptz not null default now(),
    host text,
    active_connections integer,
    total_requests bigint,
    error_rate numeric,
    avg_response_time_ms numeric,
    p95_response_time_ms numeric,
    p99_response_time_ms numeric,
    cpu_usage_percent numeric,
    cpu_cores_used numeric,
    memory_usage_mb numeric,
    memory_percent numeric,
    disk_usage_percent numeric,
    db_connections_active integer,
    db_connections_idle integer,
    db_pool_size integer,
    db_query_count bigint,
    db_slow_queries bigint,
    easypost_requests bigint,
    easypost_errors bigint,
    easypost_avg_response_time_ms numeric,
    api_requests_per_second numeric,
    cache_hit_rate numeric,
    cache_miss_rate numeric
) partition by range (id);
create index ix_system_metrics_timestamp
    on waybill.system_metrics ("timestamp" desc);

insert into waybill.partition_rules (parent, keep_months) values
    ('audit_log', null),
    ('user_activities', 13),
    ('system_metrics', 6);

create table waybill.reconciliation_ledger (
    id uuid primary key default waybill.uuid_generate_v7(),
    day date not null,
    object text not null,
    mode text not null
        constraint reconciliation_ledger_mode_check
        check (mode in ('test', 'production')),
    easypost_count integer
        constraint reconciliation_ledger_easypost_check
        check (easypost_count >= 0),
    database_count integer
        constraint reconciliation_ledger_database_check
        check (database_count >= 0),
    missing_ids text[] not null default '{}',
    repaired integer not null default 0,
    is_complete boolean not null default false,
    error text,
    started_at timestamptz not null default now(),
    checked_at timestamptz,
    constraint reconciliation_ledger_day_key unique (day, object, mode)
);
comment on table waybill.reconciliation_ledger is
    'Day by day: what EasyPost has, what we have, and what was repaired';

-- Notes a change that a person made.
create function waybill.audit()
returns trigger
language plpgsql
security definer
set search_path = waybill, pg_temp
as $$
begin
    insert into waybill.audit_log (action, table_name, row_id, old_row, new_row)
    values (lower(tg_op), tg_table_name,
        case when tg_op = 'DELETE' then old.id else new.id end,
        case when tg_op <> 'INSERT' then to_jsonb(old) - 'key_sha256' end,
        case when tg_op <> 'DELETE' then to_jsonb(new) - 'key_sha256' end);
    return null;
end
$$;
revoke all on function waybill.audit() from public;
create trigger api_keys_audit
    after insert or update or delete on waybill.api_keys
    for each row execute function waybill.audit();
create trigger shipments_audit
    after update of deleted_at, extra_metadata on waybill.shipments
    for each row execute function waybill.audit();
create trigger addresses_audit
    after update of deleted_at on waybill.addresses
    for each row execute function waybill.audit();

grant select on waybill.idempotency_claims, waybill.batch_operations,
    waybill.batch_items, waybill.jobs, waybill.audit_log,
    waybill.user_activities, waybill.system_metrics,
    waybill.reconciliation_ledger
to waybill_reader;

select count(*) from waybill.ensure_partitions();
