-- One batch with its shipments, at most a thousand of them; items_are_more says
-- that there are others.
create view api.batch_operation as
    select b.id,
        b.batch_id,
        b.operation_type,
        b.status,
        b.mode,
        b.reference,
        b.total_items,
        b.processed_items,
        b.successful_items,
        b.failed_items,
        b.num_shipments,
        b.created_count,
        b.queued_for_purchase_count,
        b.creation_failed_count,
        b.postage_purchased_count,
        b.postage_purchase_failed_count,
        b.total_processing_time,
        b.avg_item_time,
        b.label_url,
        b.errors,
        b.user_id,
        b.source,
        b.parameters,
        b.created_at,
        b.started_at,
        b.completed_at,
        b.updated_at,
        coalesce(b.items, i.items, k.items, '[]') as items,
        i.count > 1000 or k.count > 1000 as items_are_more
    from waybill.batch_operations b
    cross join lateral (
        select json_agg(json_build_object(
                'shipment_id', k.shipment_easypost_id,
                'tracking_code', k.tracking_code,
                'batch_status', k.batch_status,
                'batch_message', k.batch_message))
                filter (where k.number <= 1000) as items,
            count(*) as count
        from (
            select n.shipment_easypost_id,
                n.tracking_code,
                n.batch_status,
                n.batch_message,
                row_number() over (order by n.shipment_easypost_id) as number
            from waybill.batch_items n
            where n.batch_id = b.batch_id
            order by n.shipment_easypost_id
            limit 1001) k) i
    cross join lateral (
        select json_agg(json_build_object(
                'shipment_id', n.shipment_id,
                'tracking_code', n.tracking_code,
                'batch_status', n.state,
                'batch_message', n.error ->> 'message'))
                filter (where n.number <= 1000) as items,
            count(*) as count
        from (
            select u.shipment_id,
                u.tracking_code,
                u.state,
                u.error,
                row_number() over (order by u.id desc) as number
            from waybill.bulk_items u
            where u.batch_id = b.batch_id
            order by u.id desc
            limit 1001) n) k;
grant select on api.batch_operation to waybill_worker;
