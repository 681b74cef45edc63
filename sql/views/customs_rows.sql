-- A customs declaration as reads show it.
create view api.customs_rows as
    select c.id,
        c.easypost_id,
        c.contents_type,
        c.contents_explanation,
        c.customs_certify,
        c.customs_signer,
        c.non_delivery_option,
        c.restriction_type,
        c.restriction_comments,
        c.customs_items,
        c.eel_pfc,
        c.created_at,
        c.updated_at
    from waybill.customs_infos c;
grant select on api.customs_rows to waybill_worker;
