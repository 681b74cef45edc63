-- What the page's lists go by.

-- What failed last, whenever it was made.
create index ix_shipments_failed_updated
    on waybill.shipments (updated_at, id)
    where deleted_at is null
        and status in ('failure', 'error', 'return_to_sender');
-- The shipments of a route, as the views have its places: null when nobody knows.
create index ix_shipments_route_created
    on waybill.shipments ((nullif(to_city, '')), (nullif(from_city, '')),
        created_at, id)
    where deleted_at is null;
