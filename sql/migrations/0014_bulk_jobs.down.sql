drop table waybill.bulk_items;
drop index waybill.ix_batch_operations_queue;
alter table waybill.batch_operations drop column wait_until;
