-- Addresses, each with the number of its uses by shipments: exact to 10,000,
-- beyond it that number, with usage_count_is_more.  A left join, so that nothing
-- is counted for who does not ask for it.
create view api.addresses as
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
        a.verifications,
        a.is_residential,
        a.carrier_facility,
        a.federal_tax_id,
        a.state_tax_id,
        a.mode,
        a.created_at,
        a.updated_at,
        least(u.uses, 10000) as usage_count,
        u.uses > 10000 as usage_count_is_more
    from waybill.addresses a
    left join lateral (
        select count(*)
        from (
            select
            from api.address_uses s
            where s.address_id = a.id
            limit 10001) k) as u (uses) on true
    where a.deleted_at is null;
grant select on api.addresses to waybill_worker;
