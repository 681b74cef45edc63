-- Notes what a key is about to spend, unless that would be more than is left of its
-- limit today (UTC).  A limit holds in each currency by itself.  p_id is the attempt's
-- own.  p_thing names what is bought: an earlier attempt at it, of which nobody knows
-- what became, is not counted beside this one, for one of them at most is paid for.
-- is_reserved: whether it may be bought; what was spent, and the limit.
create function api.reserve_spending(
    p_id uuid, p_key_id uuid, p_thing text, p_price numeric,
    p_insured numeric, p_currency text, out is_reserved boolean,
    out spent text, out day_limit text)
language plpgsql
security definer
set search_path = waybill, pg_temp
set timezone = 'UTC'
as $$
declare
    v_price constant numeric := p_price + coalesce(p_insured, 0);
    v_limit numeric;
    v_spent numeric;
begin
    -- one purchase of the key after the other, for as long as this takes
    select k.daily_spending_limit
    into v_limit
    from waybill.api_keys k
    where k.id = p_key_id
    for no key update;
    select coalesce(sum(s.amount), 0)
    into v_spent
    from waybill.spendings s
    where s.key_id = p_key_id
        and s.day = current_date
        and s.currency = p_currency
        and (s.thing <> p_thing or s.settled_at is not null);
    spent := waybill.money_text(v_spent);
    day_limit := waybill.money_text(v_limit);
    is_reserved := coalesce(v_spent + v_price <= v_limit, true);
    if is_reserved then
        insert into waybill.spendings as s (id, key_id, thing, day, currency,
            amount)
        values (p_id, p_key_id, p_thing, current_date, p_currency, v_price)
        on conflict (thing) where settled_at is null do update
        set key_id = excluded.key_id,
            day = excluded.day,
            currency = excluded.currency,
            amount = greatest(s.amount, excluded.amount);
    end if;
end
$$;
revoke all on function api.reserve_spending(
    uuid, uuid, text, numeric, numeric, text) from public;
grant execute on function api.reserve_spending(
    uuid, uuid, text, numeric, numeric, text) to waybill_worker;
