-- What a key with a limit has spent today (UTC), as people read it; null: nothing.
create or replace function waybill.spent_today(p_key_id uuid)
returns text
language sql
stable
as $$
    select string_agg(waybill.money_text(s.amount) || ' ' || s.currency,
        ', ' order by s.currency)
    from (
        select s.currency, sum(s.amount) as amount
        from waybill.spendings s
        where s.key_id = p_key_id
            and s.day = (now() at time zone 'UTC')::date
        group by 1) s
$$;
revoke all on function waybill.spent_today(uuid) from public;
