-- Keeps documents and records the objects in them.  What is known by its digest
-- is passed over.  Gives the number of new documents.
create or replace function waybill.record_documents(
    p_bodies text[], p_digests bytea[], p_mode text, p_method text,
    p_path text, p_query text, p_status integer, p_request_id text)
returns integer
language plpgsql
as $$
declare
    v_docs jsonb[];
begin
    with fresh as (
        insert into waybill.documents (digest, object, easypost_id, mode, body,
            method, path, query, status, request_id)
        select distinct on (p.digest) p.digest,
            left(d.doc ->> 'object', 100), waybill.to_key(d.doc ->> 'id'),
            waybill.to_mode(d.doc ->> 'mode', p_mode), p.body::json,
            p_method, left(p_path, 1000), p_query, p_status, p_request_id
        from unnest(p_bodies, p_digests) as p (body, digest)
        cross join lateral (select p.body::jsonb) as d (doc)
        where not exists (
            select from waybill.documents k
            where k.digest = p.digest)
        order by p.digest
        on conflict do nothing
        returning documents.body)
    select array_agg(f.body::jsonb) into v_docs
    from fresh f;
    if v_docs is null then
        return 0;
    end if;
    perform waybill.record_objects(v_docs, p_mode);
    return cardinality(v_docs);
end
$$;
