-- Records a 2xx answer of EasyPost.  Durable and complete when it returns;
-- repeating it changes nothing.  documents: how many were new.  No content is
-- an error: what cannot be read is kept as bytes, with the reason.
create function api.record_answer(
    p_method text, p_path text, p_query text, p_status integer, p_body bytea,
    p_mode text, p_request_id text, out documents integer)
language plpgsql
security definer
set search_path = waybill, pg_temp
set timezone = 'UTC'
set plan_cache_mode = force_generic_plan
set enable_seqscan = off
as $$
declare
    v_digest bytea := sha256(p_body);
    v_read record;
    v_blank jsonb;
    v_bodies text[];
begin
    documents := 0;
    if coalesce(octet_length(p_body), 0) = 0 or exists (
        select from waybill.documents k
        where k.digest = v_digest)
    then
        return;
    end if;
    v_read := waybill.read_json(p_body);
    if v_read.flaw is not null then
        documents := waybill.keep_raw(p_body, v_read.flaw, p_mode, p_method,
            p_path, p_query, p_status, p_request_id);
        return;
    end if;
    if waybill.has_secrets(p_path, v_read.doc ->> 'object', v_read.body) then
        v_blank := waybill.blank_secrets(v_read.doc);
        if v_blank <> v_read.doc then
            v_read.doc := v_blank;
            v_read.body := v_blank::text;
        end if;
    end if;
    if jsonb_typeof(v_read.doc) = 'array'
        or not v_read.doc ?| array['object', 'id']
    then
        v_bodies := array(select waybill.list_elements(v_read.body::json));
    end if;
    if cardinality(v_bodies) > 0 then
        documents := waybill.record_list(v_bodies, p_mode, p_method, p_path,
            p_query, p_status, p_request_id);
    else
        documents := waybill.record_document(v_digest, v_read.body,
            v_read.doc, p_mode, p_method, p_path, p_query, p_status,
            p_request_id);
    end if;
end
$$;
revoke all on function api.record_answer(
    text, text, text, integer, bytea, text, text) from public;
grant execute on function api.record_answer(
    text, text, text, integer, bytea, text, text)
to waybill_worker, waybill_jobs;
