-- Addresses for spreadsheets, without what takes long to count.
create view api.addresses_flat as
    select a.id,
        a.easypost_id,
        a.name,
        a.company,
        a.street1,
        a.street2,
        a.city,
        a.state,
        a.zip,
        a.country,
        a.phone,
        a.email,
        a.is_residential,
        a.carrier_facility,
        a.federal_tax_id,
        a.state_tax_id,
        a.mode,
        a.created_at,
        a.updated_at
    from waybill.addresses a
    where a.deleted_at is null;
grant select on api.addresses_flat to waybill_worker;
