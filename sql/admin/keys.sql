-- All gateway keys, newest first; never more of them than the prefix.
create function admin.keys()
returns table (id uuid, prefix text, name text, mode text, scopes text,
    requests_per_minute integer, daily_spending_limit numeric,
    spent_today text, created_at timestamptz,
    expires_at timestamptz, revoked_at timestamptz)
language sql
stable
security definer
set search_path = waybill, pg_temp
begin atomic
    select k.id, k.prefix, k.name, k.mode, array_to_string(k.scopes, ','),
        k.requests_per_minute, k.daily_spending_limit,
        waybill.spent_today(k.id), k.created_at, k.expires_at, k.revoked_at
    from waybill.api_keys k
    order by k.created_at desc, k.id desc;
end;
revoke all on function admin.keys() from public;
