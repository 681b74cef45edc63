-- Keeps the documents of a list, each on its own; those known by their digest
-- are passed over.  Gives the number of new ones.  All at once; when one of
-- them cannot be recorded, one by one, so that it does not hold up the others.
create or replace function waybill.record_list(
    p_bodies text[], p_mode text, p_method text, p_path text, p_query text,
    p_status integer, p_request_id text)
returns integer
language plpgsql
as $$
declare
    v_digests bytea[];
    v_bodies text[];
    v_docs jsonb[];
begin
    select array_agg(f.digest order by f.digest),
        array_agg(f.body order by f.digest),
        array_agg(f.body::jsonb order by f.digest)
    into v_digests, v_bodies, v_docs
    from (
        select distinct on (1) sha256(convert_to(b.body, 'UTF8')), b.body
        from unnest(p_bodies) as b (body)) as f (digest, body)
    where not exists (
        select from waybill.documents k
        where k.digest = f.digest);
    if v_docs is null then
        return 0;
    end if;
    begin
        insert into waybill.documents (digest, object, easypost_id, mode, body,
            method, path, query, status, request_id)
        select f.digest, left(f.doc ->> 'object', 100),
            waybill.to_key(f.doc ->> 'id'),
            waybill.to_mode(f.doc ->> 'mode', p_mode), f.body::json,
            p_method, left(p_path, 1000), p_query, p_status, p_request_id
        from unnest(v_digests, v_bodies, v_docs) as f (digest, body, doc)
        on conflict do nothing;
        perform waybill.record_objects(v_docs, p_mode);
        return cardinality(v_docs);
    exception
        when data_exception or integrity_constraint_violation
            or program_limit_exceeded then
            return (
                select sum(waybill.record_document(f.digest, f.body, f.doc,
                    p_mode, p_method, p_path, p_query, p_status, p_request_id))
                from unnest(v_digests, v_bodies, v_docs)
                    as f (digest, body, doc));
    end;
end
$$;
revoke all on function waybill.record_list(
    text[], text, text, text, text, integer, text)
from public;
