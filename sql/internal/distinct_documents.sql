-- Documents of one kind, one for each id: the one with the greatest version,
-- in the order of their ids, which is the order in which rows are locked.
create or replace function waybill.distinct_documents(p_docs jsonb[])
returns table (easypost_id text, id uuid, doc jsonb, created_at timestamptz,
    updated_at timestamptz, richness integer, digest bigint)
language sql
stable
rows 4
as $$
    select distinct on (1) waybill.to_key(d.doc ->> 'id') collate "C",
        waybill.easypost_uuid(waybill.to_time(d.doc ->> 'created_at'),
            d.doc ->> 'id'),
        d.doc,
        v.created_at,
        v.updated_at,
        v.richness,
        v.digest
    from unnest(p_docs) as d (doc)
    cross join lateral waybill.version_of(d.doc, 0) v
    where waybill.to_key(d.doc ->> 'id') is not null
    order by 1, 5 desc, 6 desc, 7 desc
$$;
revoke all on function waybill.distinct_documents(jsonb[]) from public;
