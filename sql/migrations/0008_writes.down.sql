drop trigger addresses_audit on waybill.addresses;
create trigger addresses_audit
    after update of deleted_at on waybill.addresses
    for each row execute function waybill.audit();
drop trigger shipments_audit on waybill.shipments;
create trigger shipments_audit
    after update of deleted_at, extra_metadata on waybill.shipments
    for each row execute function waybill.audit();
comment on column waybill.shipments.reference is null;
alter table waybill.shipments
    drop column doc_reference,
    drop column own_reference;
