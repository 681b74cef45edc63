-- Who waits for a lock, and for whom; the first to end is blocked_by.  What these
-- sessions run shows pg_stat_activity to a superuser.
create or replace view waybill.locks_waiting as
    select s.pid,
        s.application,
        s.role,
        l.locktype as lock_type,
        l.mode as lock_mode,
        l.relation::regclass::text as relation,
        round(date_part('epoch', clock_timestamp() - l.waitstart)::numeric, 1)
            as waiting_s,
        b.pids as blocked_by,
        b.application as blocker,
        b.state as blocker_state,
        b.transaction_s as blocker_transaction_s
    from waybill.sessions() s
    join pg_locks l on l.pid = s.pid and not l.granted
    cross join lateral (
        select pg_blocking_pids(s.pid) as pids,
            string_agg(distinct o.application, ', ') as application,
            string_agg(distinct o.state, ', ') as state,
            max(round(date_part('epoch',
                clock_timestamp() - o.transaction_at)::numeric, 1))
                as transaction_s
        from waybill.sessions() o
        where o.pid = any (pg_blocking_pids(s.pid))) b
    order by l.waitstart;
grant select on waybill.locks_waiting to waybill_reader;
