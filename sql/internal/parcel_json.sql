-- A parcel of a document as lists show it.
create or replace function waybill.parcel_json(p_parcel jsonb, p_id uuid)
returns json
language sql
stable
parallel safe
as $$
    select case when jsonb_typeof(p_parcel) = 'object' then json_build_object(
        'id', p_id,
        'easypost_id', p_parcel -> 'id',
        'length', p_parcel -> 'length',
        'width', p_parcel -> 'width',
        'height', p_parcel -> 'height',
        'weight', p_parcel -> 'weight',
        'predefined_package', p_parcel -> 'predefined_package') end
$$;
revoke all on function waybill.parcel_json(jsonb, uuid) from public;
