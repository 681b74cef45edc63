-- What lists go by.

-- Tracking events, newest first, over all shipments.
create index ix_shipment_events_created
    on waybill.shipment_events (created_at desc, id desc);
create index ix_batch_operations_newest
    on waybill.batch_operations (created_at desc, id desc);
drop index waybill.ix_batch_operations_created;
-- In a shop's production database test shipments are few, and lists of them
-- would look at all the others; where there are only test ones this is the
-- index that lists go by anyway.
create index ix_shipments_test
    on waybill.shipments (created_at desc, id desc)
    where deleted_at is null and mode = 'test';
