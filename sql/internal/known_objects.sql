-- Those of EasyPost's objects that are here, with the version of the document which
-- each row is made of; of events, which have one document each, the newest there
-- can be.
create or replace function waybill.known_objects(p_object text, p_keys text[])
returns table (easypost_id text, updated_at timestamptz, digest bigint)
language plpgsql
stable
as $$
begin
    case p_object
    when 'shipment' then
        return query
            select t.easypost_id, t.doc_updated_at, t.doc_digest
            from waybill.shipments t
            where t.easypost_id = any (p_keys)
                and t.doc_updated_at > '-infinity';
    when 'tracker' then
        return query
            select t.easypost_id, t.doc_updated_at, t.doc_digest
            from waybill.trackers t
            where t.easypost_id = any (p_keys);
    when 'address' then
        return query
            select t.easypost_id, t.doc_updated_at, t.doc_digest
            from waybill.addresses t
            where t.easypost_id = any (p_keys)
                and t.doc_updated_at > '-infinity';
    when 'refund' then
        return query
            select t.easypost_id, t.doc_updated_at, t.doc_digest
            from waybill.refunds t
            where t.easypost_id = any (p_keys);
    when 'event' then
        return query
            select t.easypost_id, timestamptz 'infinity', 0::bigint
            from waybill.webhook_event_ids t
            where t.easypost_id = any (p_keys);
    end case;
end
$$;
revoke all on function waybill.known_objects(text, text[]) from public;
