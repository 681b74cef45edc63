-- Keeps a body that PostgreSQL cannot take as JSON: its bytes, and why.  Where
-- such a body may hold a secret nobody can find it in there, so only its digest
-- is kept.
create or replace function waybill.keep_raw(
    p_body bytea, p_flaw text, p_mode text, p_method text, p_path text,
    p_query text, p_status integer, p_request_id text)
returns integer
language plpgsql
as $$
declare
    v_count integer;
begin
    insert into waybill.documents (digest, mode, raw, flaw, method, path,
        query, status, request_id)
    values (sha256(p_body), waybill.to_mode(null, p_mode),
        case when not waybill.has_secrets(p_path, null,
            encode(p_body, 'escape')) then p_body end,
        coalesce(p_flaw, 'unreadable'), p_method, left(p_path, 1000),
        p_query, p_status, p_request_id)
    on conflict do nothing;
    get diagnostics v_count = row_count;
    return v_count;
end
$$;
revoke all on function waybill.keep_raw(
    bytea, text, text, text, text, text, integer, text)
from public;
