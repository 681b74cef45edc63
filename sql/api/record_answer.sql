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
    v_bodies text[];
    v_flaw text;
begin
    documents := 0;
    if octet_length(p_body) = 0 or exists (
        select from waybill.documents k
        where k.digest = v_digest)
    then
        return;
    end if;
    v_read := waybill.read_json(p_body);
    v_flaw := v_read.flaw;
    if v_flaw is null then
        if waybill.has_secrets(v_read.body, p_path) then
            v_read.doc := waybill.blank_secrets(v_read.doc);
            v_read.body := v_read.doc::text;
        end if;
        if jsonb_typeof(v_read.doc) <> 'object'
            or not v_read.doc ?| array['object', 'id']
        then
            v_bodies := array(select waybill.list_elements(v_read.body::json));
        end if;
        begin
            if v_bodies is null or v_bodies = '{}' then
                documents := waybill.record_documents(array[v_read.body],
                    array[v_digest], p_mode, p_method, p_path, p_query,
                    p_status, p_request_id);
            else
                documents := waybill.record_documents(v_bodies, array(
                    select sha256(convert_to(b.body, 'UTF8'))
                    from unnest(v_bodies) as b (body)), p_mode, p_method,
                    p_path, p_query, p_status, p_request_id);
            end if;
            return;
        exception
            when data_exception or integrity_constraint_violation
                or program_limit_exceeded then
                v_flaw := sqlerrm;
        end;
    end if;
    documents := waybill.keep_raw(p_body, v_flaw, p_mode, p_method, p_path,
        p_query, p_status, p_request_id);
end
$$;
revoke all on function api.record_answer(
    text, text, text, integer, bytea, text, text) from public;
grant execute on function api.record_answer(
    text, text, text, integer, bytea, text, text)
to waybill_worker, waybill_jobs;
