-- An address of the table as lists of shipments show it: what address_json says
-- of one in a document.
create or replace function waybill.own_address_json(p_address waybill.addresses)
returns json
language sql
stable
parallel safe
as $$
    select case when p_address.id is not null then json_build_object(
        'id', p_address.id,
        'easypost_id', p_address.easypost_id,
        'name', p_address.name,
        'company', p_address.company,
        'street1', p_address.street1,
        'street2', p_address.street2,
        'city', p_address.city,
        'state', p_address.state,
        'zip', p_address.zip,
        'country', p_address.country,
        'phone', p_address.phone,
        'email', p_address.email,
        'is_residential', p_address.is_residential) end
$$;
revoke all on function waybill.own_address_json(waybill.addresses) from public;
