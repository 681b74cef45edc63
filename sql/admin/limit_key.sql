-- Sets the limits of the live key with this id or this prefix: null leaves one as it
-- is, 'none' takes it away.  No row: there is no such key.
create function admin.limit_key(
    p_ref text, p_rate_limit text, p_spending_limit text, p_expires_at text)
returns table (id uuid, prefix text, requests_per_minute integer,
    daily_spending_limit numeric, expires_at timestamptz)
language plpgsql
security definer
set search_path = waybill, pg_temp
set timezone = 'UTC'
as $$
#variable_conflict use_column
declare
    v_id uuid := waybill.live_key(p_ref);
begin
    return query
        update waybill.api_keys k
        set requests_per_minute = case when p_rate_limit is null
                then k.requests_per_minute
                else nullif(p_rate_limit, 'none')::integer end,
            daily_spending_limit = case when p_spending_limit is null
                then k.daily_spending_limit
                else nullif(p_spending_limit, 'none')::numeric end,
            expires_at = case when p_expires_at is null
                then k.expires_at
                else nullif(p_expires_at, 'none')::timestamptz end
        where k.id = v_id
        returning k.id, k.prefix, k.requests_per_minute, k.daily_spending_limit,
            k.expires_at;
end
$$;
revoke all on function admin.limit_key(text, text, text, text) from public;
