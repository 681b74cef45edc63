alter table waybill.shipments
    add constraint shipments_mode_check check (mode in ('test', 'production')),
    add constraint shipments_base_cost_check check (base_cost >= 0),
    add constraint shipments_total_cost_check check (total_cost >= 0),
    add constraint shipments_insurance_check check (insurance >= 0),
    add constraint shipments_currency_check check (currency ~ '^[A-Z]{3}$'),
    add constraint shipments_delivery_days_check check (delivery_days >= 0),
    add constraint shipments_weight_check check (weight > 0);
drop index waybill.ix_shipments_batch;
create index ix_shipments_batch
    on waybill.shipments (batch_id, created_at)
    where batch_id is not null;
drop index waybill.ix_shipments_status_created;
create index ix_shipments_status_created
    on waybill.shipments (status, created_at);
drop index waybill.ix_shipments_carrier_service_created;
create index ix_shipments_carrier_service_created
    on waybill.shipments (carrier, service, created_at);
drop index waybill.ix_shipments_carrier_created;
drop trigger shipments_ready on waybill.shipments;
alter table waybill.shipments
    drop column ready,
    alter column from_address set storage extended,
    alter column to_address set storage extended,
    alter column parcel set storage extended;
alter table waybill.shipments set (fillfactor = 85);
alter table waybill.shipments reset (toast_tuple_target);
drop function waybill.make_ready();
drop type waybill.ready_shipment;
drop function waybill.moment_text(timestamptz);
