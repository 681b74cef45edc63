-- Nothing of the bulk calls of this mode is sent for so long.
create function api.pause_bulk(p_mode text, p_seconds integer)
returns void
language sql
volatile
security definer
set search_path = waybill, pg_temp
as $$
    update waybill.batch_operations b
    set wait_until = greatest(b.wait_until,
        now() + interval '1 second' * p_seconds)
    where b.wait_until is not null
        and b.mode = p_mode
$$;
revoke all on function api.pause_bulk(text, integer) from public;
grant execute on function api.pause_bulk(text, integer) to waybill_worker;
