-- Records every object in the documents that has a table; the one path of
-- answers and webhooks.  Idempotent, and the same whatever the order: locks in
-- the order objects < addresses < parcels < customs < trackers < shipments <
-- events, each sorted by key.  Gives the number of objects that it looked at.
create or replace function waybill.record_objects(p_docs jsonb[], p_mode text)
returns integer
language plpgsql
as $$
declare
    v_addresses jsonb[];
    v_parcels jsonb[];
    v_customs jsonb[];
    v_rates jsonb[];
    v_others jsonb[];
begin
    select array_agg(o.doc) filter (where o.kind = 'Address'),
        array_agg(o.doc) filter (where o.kind = 'Parcel'),
        array_agg(o.doc) filter (where o.kind = 'CustomsInfo'),
        array_agg(o.doc) filter (where o.kind = 'Rate'),
        array_agg(o.doc) filter (where o.kind in ('Shipment', 'Tracker',
            'Refund', 'Batch'))
    into v_addresses, v_parcels, v_customs, v_rates, v_others
    from unnest(p_docs) as d (doc)
    cross join lateral waybill.find_objects(d.doc) o
    where o.doc ->> 'object' = o.kind;
    if v_others is not null then
        perform waybill.lock_objects(v_others);
    end if;
    if v_addresses is not null then
        perform waybill.record_addresses(v_addresses, p_mode);
    end if;
    if v_parcels is not null then
        perform waybill.record_parcels(v_parcels, p_mode);
    end if;
    if v_customs is not null then
        perform waybill.record_customs_infos(v_customs, p_mode);
    end if;
    if v_rates is not null then
        perform waybill.record_rates(v_rates, p_mode);
    end if;
    if v_others is not null then
        perform waybill.record_journeys(v_others, p_mode);
    end if;
    return coalesce(cardinality(v_addresses), 0)
        + coalesce(cardinality(v_parcels), 0)
        + coalesce(cardinality(v_customs), 0)
        + coalesce(cardinality(v_rates), 0)
        + coalesce(cardinality(v_others), 0);
end
$$;
