-- The shipments of a batch become those that its winning document lists.
-- Gives every known shipment that joined, left, or changed.
create or replace function waybill.record_batch_items(
    p_batch_id text, p_items jsonb)
returns uuid[]
language plpgsql
as $$
declare
    v_items jsonb := case jsonb_typeof(p_items)
        when 'array' then p_items else '[]' end;
    v_keys text[];
begin
    select array_agg(distinct k.key) into v_keys
    from (
        select waybill.to_key(i.item ->> 'id')
        from jsonb_array_elements(v_items) as i (item)
        union all
        select b.shipment_easypost_id
        from waybill.batch_items b
        where b.batch_id = p_batch_id) as k (key)
    where k.key is not null;
    delete from waybill.batch_items b
    where b.batch_id = p_batch_id
        and not exists (
            select from jsonb_array_elements(v_items) as i (item)
            where i.item ->> 'id' = b.shipment_easypost_id);
    insert into waybill.batch_items as b (batch_id, shipment_easypost_id,
        batch_status, batch_message, tracking_code)
    select distinct on (2) p_batch_id, waybill.to_key(i.item ->> 'id'),
        i.item ->> 'batch_status', i.item ->> 'batch_message',
        i.item ->> 'tracking_code'
    from jsonb_array_elements(v_items) as i (item)
    where waybill.to_key(i.item ->> 'id') is not null
    order by 2, i.item desc
    on conflict (batch_id, shipment_easypost_id) do update
    set (batch_status, batch_message, tracking_code) =
        (excluded.batch_status, excluded.batch_message, excluded.tracking_code);
    return array(
        select s.id
        from waybill.shipments s
        where s.easypost_id = any (v_keys)
        order by s.id);
end
$$;
revoke all on function waybill.record_batch_items(text, jsonb) from public;
