-- An address in the shape in which shipments show theirs.
create view api.address_json as
    select a.id,
        json_build_object(
            'id', a.id,
            'easypost_id', a.easypost_id,
            'name', a.name,
            'company', a.company,
            'street1', a.street1,
            'street2', a.street2,
            'city', a.city,
            'state', a.state,
            'zip', a.zip,
            'country', a.country,
            'phone', a.phone,
            'email', a.email,
            'is_residential', a.is_residential) as shown
    from waybill.addresses a;
grant select on api.address_json to waybill_worker;
