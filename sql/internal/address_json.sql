-- An address of a document as lists show it.
create or replace function waybill.address_json(p_address jsonb, p_id uuid)
returns json
language sql
stable
parallel safe
as $$
    select case when jsonb_typeof(p_address) = 'object' then json_build_object(
        'id', p_id,
        'easypost_id', p_address -> 'id',
        'name', p_address -> 'name',
        'company', p_address -> 'company',
        'street1', p_address -> 'street1',
        'street2', p_address -> 'street2',
        'city', p_address -> 'city',
        'state', p_address -> 'state',
        'zip', p_address -> 'zip',
        'country', p_address -> 'country',
        'phone', p_address -> 'phone',
        'email', p_address -> 'email',
        'is_residential', p_address -> 'residential') end
$$;
revoke all on function waybill.address_json(jsonb, uuid) from public;
