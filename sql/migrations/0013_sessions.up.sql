-- Sessions of the page: a cookie stands for a key with the scope read, for half a
-- day, and for nothing else that the key may do.
create table waybill.sessions (
    token_sha256 bytea primary key
        constraint sessions_token_check check (octet_length(token_sha256) = 32),
    key_id uuid not null
        constraint sessions_key_fkey
        references waybill.api_keys on delete cascade,
    created_at timestamptz not null default now(),
    expires_at timestamptz not null
);
create index ix_sessions_expires on waybill.sessions (expires_at);
create index ix_sessions_key on waybill.sessions (key_id);
