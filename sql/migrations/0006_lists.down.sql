drop index waybill.ix_shipments_test;
drop index waybill.ix_batch_operations_newest;
create index ix_batch_operations_created
    on waybill.batch_operations (created_at desc);
drop index waybill.ix_shipment_events_created;
