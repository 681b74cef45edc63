-- Lets go of the bulk calls: another worker may go on with them.
create function api.rest_bulk()
returns boolean
language sql
volatile
security definer
set search_path = waybill, pg_temp
as $$
    select pg_advisory_unlock(hashtext('waybill.bulk'), 0)
    where exists (
        select from pg_locks l
        where l.locktype = 'advisory'
            and l.pid = pg_backend_pid()
            and l.classid = hashtext('waybill.bulk')::oid
            and l.objid = 0
            and l.objsubid = 2)
$$;
revoke all on function api.rest_bulk() from public;
grant execute on function api.rest_bulk() to waybill_worker;
