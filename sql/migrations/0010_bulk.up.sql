-- Bulk calls of ours keep what became of each item.  Not in batch_items: what
-- stands there says to which batch of EasyPost's a shipment belongs.
alter table waybill.batch_operations add column items json;
comment on column waybill.batch_operations.items is
    'Of a bulk call: shipment_id, tracking_code, batch_status, batch_message of each';
