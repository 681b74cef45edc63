-- Waits for whoever records one of these shipments of EasyPost at the moment,
-- and keeps others waiting: the lock of lock_objects.
create or replace function waybill.lock_items(p_items jsonb)
returns void
language plpgsql
as $$
declare
    v_docs jsonb[] := array(
        select jsonb_build_object('id', i.doc -> 'easypost_id')
        from jsonb_array_elements(p_items) as i (doc)
        where i.doc ->> 'easypost_id' is not null);
begin
    if v_docs <> '{}' then
        perform waybill.lock_objects(v_docs);
    end if;
end
$$;
revoke all on function waybill.lock_items(jsonb) from public;
