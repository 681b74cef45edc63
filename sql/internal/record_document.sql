-- Keeps one document and records the objects in it; gives 1 when it was new.
-- No content is an error: what cannot be recorded is kept all the same, with
-- the reason.
create or replace function waybill.record_document(
    p_digest bytea, p_body text, p_doc jsonb, p_mode text, p_method text,
    p_path text, p_query text, p_status integer, p_request_id text)
returns integer
language plpgsql
as $$
begin
    insert into waybill.documents (digest, object, easypost_id, mode, body,
        method, path, query, status, request_id)
    values (p_digest, left(p_doc ->> 'object', 100),
        waybill.to_key(p_doc ->> 'id'),
        waybill.to_mode(p_doc ->> 'mode', p_mode), p_body::json, p_method,
        left(p_path, 1000), p_query, p_status, p_request_id)
    on conflict do nothing;
    if not found then
        return 0;
    end if;
    begin
        perform waybill.record_objects(array[p_doc], p_mode);
    exception
        when data_exception or integrity_constraint_violation
            or program_limit_exceeded then
            update waybill.documents d
            set flaw = sqlerrm
            where d.digest = p_digest;
    end;
    return 1;
end
$$;
revoke all on function waybill.record_document(
    bytea, text, jsonb, text, text, text, text, integer, text)
from public;
