-- After EasyPost was asked what it made: an item in doubt of that round becomes the
-- one shipment that has its reference, which no other item has.  One that EasyPost
-- does not have, and that costs nothing, is sent again; all others stay in doubt.
-- p_is_whole: all of EasyPost's list was seen.
create function api.settle_bulk_doubts(
    p_batch_id text, p_take uuid, p_is_whole boolean)
returns void
language plpgsql
security definer
set search_path = waybill, pg_temp
as $$
begin
    perform from waybill.batch_operations b
    where b.batch_id = p_batch_id
    for update;
    with doubts as (
        select i.id, count(s.id) as shipments,
            min(s.easypost_id) as shipment_id,
            min(s.tracking_code) as tracking_code
        from waybill.bulk_items i
        join waybill.batch_operations b on b.batch_id = i.batch_id
        left join waybill.shipments s
            on s.reference = i.reference
            and s.mode = b.mode
            and s.created_at between i.sent_at - interval '1 minute'
                and i.sent_at + interval '2 minutes'
            and not exists (
                select from waybill.bulk_items o
                where o.batch_id = p_batch_id
                    and o.shipment_id = s.easypost_id)
        where i.batch_id = p_batch_id
            and i.take_id = p_take
            and i.state = 'in_doubt'
            and i.looked_at is null
            and not exists (
                select from waybill.bulk_items o
                where o.batch_id = p_batch_id
                    and o.reference = i.reference
                    and o.id <> i.id)
        group by i.id)
    update waybill.bulk_items i
    set state = case when d.shipments = 1 then 'success' else 'pending' end,
        shipment_id = d.shipment_id,
        tracking_code = d.tracking_code,
        request = case when d.shipments = 0 then i.request end,
        error = null,
        finished_at = case when d.shipments = 1 then now() end
    from doubts d
    where i.id = d.id
        and (d.shipments = 1
            or (d.shipments = 0 and p_is_whole and not i.buys
                and i.attempts < 3));
    update waybill.bulk_items i
    set looked_at = now(),
        finished_at = now()
    where i.batch_id = p_batch_id
        and i.take_id = p_take
        and i.state = 'in_doubt';
    perform waybill.count_bulk(p_batch_id);
end
$$;
revoke all on function api.settle_bulk_doubts(text, uuid, boolean) from public;
grant execute on function api.settle_bulk_doubts(text, uuid, boolean)
to waybill_worker;
