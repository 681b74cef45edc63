-- The connections to this database, without the one that asks.  A session that is
-- "idle in transaction" for long keeps VACUUM from its work.
create or replace view waybill.connections_by_state as
    select s.application,
        s.role,
        s.state,
        count(*) as connections,
        count(*) filter (where s.waits_for = 'Lock') as waiting_for_locks,
        max(round(date_part('epoch', clock_timestamp() - s.state_at)::numeric, 1))
            as longest_state_s,
        max(round(date_part('epoch',
            clock_timestamp() - s.transaction_at)::numeric, 1))
            as longest_transaction_s
    from waybill.sessions() s
    group by s.application, s.role, s.state
    order by count(*) desc, s.application, s.role, s.state;
grant select on waybill.connections_by_state to waybill_reader;
