-- How often a key may ask is said by the minute, which leaves room for less than one
-- a second.  Nothing has read the column before.
alter table waybill.api_keys rename requests_per_second to requests_per_minute;
alter table waybill.api_keys drop constraint api_keys_requests_check;
update waybill.api_keys
set requests_per_minute = least(requests_per_minute, 16666) * 60
where requests_per_minute is not null;
alter table waybill.api_keys add constraint api_keys_requests_check
    check (requests_per_minute between 1 and 1000000);

-- What keys with a daily limit have spent.
alter table waybill.api_keys drop constraint api_keys_spending_check;
alter table waybill.api_keys add constraint api_keys_spending_check
    check (daily_spending_limit >= 0 and daily_spending_limit < 1e9);

create table waybill.spendings (
    id uuid primary key,
    key_id uuid not null
        constraint spendings_key_fkey
        references waybill.api_keys (id) on delete cascade,
    thing text not null,
    day date not null,
    currency text not null,
    amount numeric not null
        constraint spendings_amount_check check (amount >= 0),
    created_at timestamptz not null default now(),
    settled_at timestamptz
);
comment on table waybill.spendings is
    'What keys with a daily limit spend: noted before EasyPost is asked to sell';
comment on column waybill.spendings.day is 'In UTC';
comment on column waybill.spendings.settled_at is
    'When amount became what it really cost.  Null: it is the price at most, and may
not have been spent: the call is under way, or nobody knows what became of it';
create index ix_spendings_key_day on waybill.spendings (key_id, day);
create unique index ix_spendings_open on waybill.spendings (thing)
    where settled_at is null;
grant select on waybill.spendings to waybill_reader;
