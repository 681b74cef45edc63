-- True when this connection may work off bulk calls: one of all hosts may, for as
-- long as it lives or until it lets go, so that no more calls than one worker makes
-- are under way.
create or replace function waybill.hold_bulk()
returns boolean
language sql
volatile
as $$
    select case when exists (
            select from pg_locks l
            where l.locktype = 'advisory'
                and l.pid = pg_backend_pid()
                and l.granted
                and l.classid = hashtext('waybill.bulk')::oid
                and l.objid = 0
                and l.objsubid = 2)
        then true
        else pg_try_advisory_lock(hashtext('waybill.bulk'), 0) end
$$;
revoke all on function waybill.hold_bulk() from public;
