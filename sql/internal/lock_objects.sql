-- One recorder at a time for each shipment and tracking code: a tracker and its
-- shipment that arrive together, each in its own transaction, would not see
-- each other and never be linked.  Locks are taken in one order; 1024 of them
-- bound what a batch of thousands takes of the lock table.
create or replace function waybill.lock_objects(p_docs jsonb[])
returns void
language plpgsql
as $$
declare
    v_doc jsonb;
    v_keys text[];
    v_lock integer;
    v_other integer;
begin
    foreach v_doc in array p_docs loop
        v_keys := v_keys || array[v_doc ->> 'tracking_code',
            case v_doc ->> 'object' when 'Tracker' then v_doc ->> 'shipment_id'
                else v_doc ->> 'id' end];
        case v_doc ->> 'object'
        when 'Batch' then
            v_keys := v_keys || array(
                select i.id #>> '{}'
                from jsonb_path_query(v_doc, '$.shipments[*].id') as i (id));
        when 'Refund', 'ShipmentInvoice' then
            v_keys := array_append(v_keys, v_doc ->> 'shipment_id');
        else
            null;
        end case;
    end loop;
    if cardinality(v_keys) = 2 then -- one tracker: no need to sort in SQL
        v_lock := hashtext(v_keys[1]) & 1023;
        v_other := hashtext(v_keys[2]) & 1023;
        perform pg_advisory_xact_lock(hashtext('waybill.objects'),
            least(v_lock, v_other));
        if v_lock <> v_other then
            perform pg_advisory_xact_lock(hashtext('waybill.objects'),
                greatest(v_lock, v_other));
        end if;
        return;
    end if;
    for v_lock in
        select distinct hashtext(k.key) & 1023
        from unnest(v_keys) as k (key)
        where k.key is not null
        order by 1
    loop
        perform pg_advisory_xact_lock(hashtext('waybill.objects'), v_lock);
    end loop;
end
$$;
revoke all on function waybill.lock_objects(jsonb[]) from public;
