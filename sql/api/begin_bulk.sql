-- Notes a bulk call before its first item is sent, and gives its batch_id.  Calls
-- whose worker died stay behind: nobody works for longer than a minute.
create function api.begin_bulk(
    p_total integer, p_mode text, p_caller text, p_request_id text)
returns text
language plpgsql
security definer
set search_path = waybill, pg_temp
as $$
declare
    v_id uuid := waybill.uuid_generate_v7();
    v_batch_id text := 'bulk_' || replace(v_id::text, '-', '');
begin
    update waybill.batch_operations b
    set status = 'interrupted', completed_at = now(), updated_at = now()
    where b.status = 'processing'
        and b.operation_type = 'bulk_shipments'
        and b.wait_until is null
        and b.started_at < now() - interval '60 seconds';
    insert into waybill.batch_operations (id, batch_id, operation_type,
        started_at, status, total_items, user_id, source, mode, parameters)
    values (v_id, v_batch_id, 'bulk_shipments', now(), 'processing', p_total,
        p_caller, 'waybill', p_mode,
        jsonb_build_object('request_id', p_request_id));
    return v_batch_id;
end
$$;
revoke all on function api.begin_bulk(integer, text, text, text) from public;
grant execute on function api.begin_bulk(integer, text, text, text)
to waybill_worker;
