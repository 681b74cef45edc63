-- What is left to do of bulk calls that are worked off behind their answers, and for
-- how long nobody has gone on although one was due; null: none is.
create or replace function waybill.bulk_backlog()
returns table (items bigint, overdue_s bigint)
language sql
stable
as $$
    select (
            select count(*)
            from waybill.batch_operations b
            join waybill.bulk_items i on i.batch_id = b.batch_id
            where b.wait_until is not null
                and (i.state in ('pending', 'sending')
                    or (i.state = 'in_doubt' and i.looked_at is null))),
        (
            select waybill.seconds_since(min(b.wait_until))
            from waybill.batch_operations b
            where b.wait_until <= now())
$$;
revoke all on function waybill.bulk_backlog() from public;
