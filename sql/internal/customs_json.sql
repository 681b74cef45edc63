-- A customs declaration of a document as reads show it.
create or replace function waybill.customs_json(p_customs jsonb, p_id uuid)
returns json
language sql
stable
parallel safe
as $$
    select json_build_object(
        'id', p_id,
        'easypost_id', p_customs -> 'id',
        'contents_type', p_customs -> 'contents_type',
        'contents_explanation', p_customs -> 'contents_explanation',
        'customs_certify', p_customs -> 'customs_certify',
        'customs_signer', p_customs -> 'customs_signer',
        'non_delivery_option', p_customs -> 'non_delivery_option',
        'restriction_type', p_customs -> 'restriction_type',
        'restriction_comments', p_customs -> 'restriction_comments',
        'customs_items', p_customs -> 'customs_items',
        'eel_pfc', p_customs -> 'eel_pfc')
$$;
revoke all on function waybill.customs_json(jsonb, uuid) from public;
