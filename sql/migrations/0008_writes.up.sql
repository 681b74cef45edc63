-- What people write: their own shipments and addresses, and their own fields of
-- mirrored ones.
--
-- A reference that a person gave wins over EasyPost's, whatever comes later and
-- in whatever order; taken away, EasyPost's is back.

alter table waybill.shipments
    add column own_reference text,
    add column doc_reference text;
comment on column waybill.shipments.reference is
    'own_reference, else what the newest document says (doc_reference)';
update waybill.shipments s
set doc_reference = s.reference
where s.reference is not null;

-- Where a change is noted without a glance at what the mirror writes: its
-- updates name none of these columns.
drop trigger shipments_audit on waybill.shipments;
create trigger shipments_audit
    after update of deleted_at, extra_metadata, own_reference
    on waybill.shipments
    for each row execute function waybill.audit();

-- An address without an id of EasyPost is somebody's own: the mirror never
-- touches it.
drop trigger addresses_audit on waybill.addresses;
create trigger addresses_audit
    after update on waybill.addresses
    for each row
    when (old.easypost_id is null
        or old.deleted_at is distinct from new.deleted_at)
    execute function waybill.audit();
