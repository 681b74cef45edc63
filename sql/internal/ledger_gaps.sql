-- When EasyPost was last compared with, in seconds ago, and what that left undone: the
-- parts of the ledger that are incomplete, over how many days until today, and
-- those of events that EasyPost had nobody to send to and cannot give, which nobody
-- can mend.  A comparison that is under way has taken back when it last looked.
create or replace function waybill.ledger_gaps()
returns table (reconciled_s bigint, incomplete bigint, incomplete_days integer,
    unsent bigint)
language sql
stable
as $$
    select waybill.seconds_since(max(coalesce(l.checked_at, l.started_at))),
        count(*) filter (where l.is_short),
        (now() at time zone 'UTC')::date + 1 - min(l.day) filter (
            where l.is_short),
        count(*) filter (where l.is_unsent)
    from (
        select l.checked_at, l.started_at, l.day, u.is_unsent,
            not l.is_complete
                and not u.is_unsent
                and (l.checked_at is not null
                    or l.started_at <= now() - interval '6 hours') as is_short
        from waybill.reconciliation_ledger l
        cross join lateral (
            select l.object = 'event'
                and l.checked_at is not null
                and l.missing_ids <> '{}' as is_unsent) u) l
$$;
revoke all on function waybill.ledger_gaps() from public;
