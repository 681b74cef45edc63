-- One recorder at a time for each shipment and tracking code: a tracker and its
-- shipment that arrive together, each in its own transaction, would not see
-- each other and never be linked.  Locks are taken in one order; 1024 of them
-- bound what a batch of thousands takes of the lock table.
create or replace function waybill.lock_objects(p_docs jsonb[])
returns void
language plpgsql
as $$
declare
    v_lock integer;
begin
    for v_lock in
        select distinct hashtext(k.key) & 1023
        from unnest(p_docs) as d (doc)
        cross join lateral (values (d.doc ->> 'tracking_code'),
            (case d.doc ->> 'object' when 'Shipment' then d.doc ->> 'id'
                else d.doc ->> 'shipment_id' end)) as k (key)
        where k.key is not null
        union
        select hashtext(i.id #>> '{}') & 1023
        from unnest(p_docs) as d (doc)
        cross join lateral jsonb_path_query(d.doc, '$.shipments[*].id')
            as i (id)
        where d.doc ->> 'object' = 'Batch'
        order by 1
    loop
        perform pg_advisory_xact_lock(hashtext('waybill.objects'), v_lock);
    end loop;
end
$$;
