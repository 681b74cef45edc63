-- The shipments with a tracking code, two at most: it says which one is meant only
-- where there is one.
create or replace function waybill.shipments_by_code(p_code text, p_mode text)
returns uuid[]
language plpgsql
stable
as $$
begin
    return array(
        select s.id
        from waybill.shipments s
        where s.tracking_code = p_code
            and s.doc_tracking_code = p_code
            and s.mode = p_mode
        limit 2);
end
$$;
revoke all on function waybill.shipments_by_code(text, text) from public;
