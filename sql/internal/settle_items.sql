-- The last of an insertion: a line of the audit log for each shipment, and the
-- trackers that came before it.  The line is small; the row as it was made is
-- the old row of its first change, or the row itself.
create or replace function waybill.settle_items(p_ids uuid[])
returns void
language plpgsql
as $$
begin
    insert into waybill.audit_log (action, table_name, row_id, new_row)
    select 'insert', 'shipments', s.id, jsonb_build_object(
        'easypost_id', s.easypost_id, 'tracking_code', s.tracking_code,
        'reference', s.reference)
    from waybill.shipments s
    where s.id = any (p_ids);
    perform waybill.link_trackers(s.id, s.easypost_id, null, null)
    from waybill.shipments s
    join waybill.trackers t on t.shipment_easypost_id = s.easypost_id
    where s.id = any (p_ids);
end
$$;
revoke all on function waybill.settle_items(uuid[]) from public;
