-- Records what became of one item of a bulk call; repeating it changes nothing.
-- p_take: the round that sent it, a space, and its index.  p_outcome: success (p_body
-- is the shipment, and is recorded with it); failed (p_body is EasyPost's refusal);
-- not_sent (it will be sent again); in_doubt.
create function api.record_bulk_item(
    p_outcome text, p_batch_id text, p_take text, p_status integer,
    p_body bytea, p_mode text, p_request_id text)
returns void
language plpgsql
security definer
set search_path = waybill, pg_temp
set timezone = 'UTC'
as $$
declare
    v_read record := waybill.read_json(p_body);
    v_doc jsonb := v_read.doc;
    v_error json;
begin
    if p_outcome = 'failed'
        and v_doc -> 'error' ? 'message'
        and v_doc #>> '{error,code}' <> ''
        and jsonb_typeof(v_doc #> '{error,code}') = 'string'
        and jsonb_typeof(v_doc #> '{error,errors}') = 'array'
    then
        v_error := v_read.body::json -> 'error';
    end if;
    if p_outcome = 'success' then
        perform api.record_answer('POST', '/v2/shipments', '', p_status,
            p_body, p_mode, p_request_id);
    end if;
    update waybill.bulk_items i
    set state = case p_outcome when 'not_sent' then 'pending'
            else p_outcome end,
        finished_at = case when p_outcome in ('success', 'failed')
            then now() end,
        looked_at = case when p_outcome = 'in_doubt' and i.reference is null
            then now() end,
        request = case when p_outcome <> 'success' then i.request end,
        shipment_id = case when p_outcome = 'success'
            then waybill.to_key(v_doc ->> 'id') end,
        tracking_code = case when p_outcome = 'success'
            then v_doc ->> 'tracking_code' end,
        error = case when p_outcome in ('failed', 'in_doubt')
            then coalesce(v_error, waybill.bulk_error(p_outcome)) end
    where i.id = waybill.bulk_item_id(
            substr(p_batch_id, 6)::uuid, split_part(p_take, ' ', 2)::integer)
        and i.take_id = split_part(p_take, ' ', 1)::uuid
        and i.state in ('sending', 'in_doubt');
    -- told late, out of the spool: the call may have ended without it
    if found and exists (
        select from waybill.batch_operations b
        where b.batch_id = p_batch_id
            and b.wait_until is null)
    then
        perform waybill.count_bulk(p_batch_id);
    end if;
end
$$;
revoke all on function api.record_bulk_item(
    text, text, text, integer, bytea, text, text) from public;
grant execute on function api.record_bulk_item(
    text, text, text, integer, bytea, text, text)
to waybill_worker, waybill_jobs;
