-- Trackers, refunds, batches and shipments, which depend on each other: first
-- each one's own row, then every shipment that one of them touched.
create or replace function waybill.record_journeys(p_docs jsonb[], p_mode text)
returns void
language plpgsql
as $$
declare
    v_keys text[];
    v_ids uuid[];
    v_touched uuid[];
    v_object record;
begin
    select array_agg(k.key), array_agg(k.id)
    into v_keys, v_ids
    from (
        select distinct on (1) d.doc ->> 'id',
            coalesce((
                select s.id from waybill.shipments s
                where s.easypost_id = d.doc ->> 'id'),
                waybill.easypost_uuid(
                    waybill.to_time(d.doc ->> 'created_at'), d.doc ->> 'id'))
        from unnest(p_docs) as d (doc)
        where d.doc ->> 'object' = 'Shipment'
            and waybill.to_key(d.doc ->> 'id') is not null
        order by 1, d.doc ->> 'created_at') as k (key, id);
    for v_object in
        select d.doc ->> 'object' as kind, d.doc ->> 'id' as key, d.doc
        from unnest(p_docs) as d (doc)
        where waybill.to_key(d.doc ->> 'id') is not null
        order by array_position(array['Tracker', 'Refund', 'Batch'],
            d.doc ->> 'object') nulls last, 2
    loop
        v_touched := v_touched || case v_object.kind
            when 'Tracker' then waybill.record_tracker(v_object.doc, p_mode,
                v_keys, v_ids)
            when 'Refund' then array[waybill.record_refund(v_object.doc,
                p_mode)]
            when 'Batch' then waybill.record_batch(v_object.doc, p_mode)
            else waybill.record_shipment(v_object.doc, p_mode,
                v_ids[array_position(v_keys, v_object.key)])
            end;
    end loop;
    -- those of the document itself were settled when they were written
    perform waybill.settle_shipment(t.id)
    from (
        select distinct u.id
        from unnest(v_touched) as u (id)
        where u.id is not null
        order by 1) t;
end
$$;
