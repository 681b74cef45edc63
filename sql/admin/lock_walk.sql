-- True when nobody else walks now; the lock lasts as long as the connection, which
-- `backend` tells from others.
create function admin.lock_walk()
returns table (is_locked boolean, backend integer)
language sql
volatile
as $$
    select pg_try_advisory_lock(hashtextextended('waybill walk', 0)),
        pg_backend_pid()
$$;
revoke all on function admin.lock_walk() from public;
grant execute on function admin.lock_walk() to waybill_jobs;
