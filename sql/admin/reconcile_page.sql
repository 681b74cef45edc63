-- Compares one page of a list of EasyPost's with what is here, records what is
-- missing or older, and adds both to the ledger, from p_since on.  p_before: what
-- was here, where the page itself has no documents (events): the ids of
-- admin.known_events; null: what is here now.
create function admin.reconcile_page(
    p_mode text, p_object text, p_since date, p_path text, p_query text,
    p_body bytea, p_before text[])
returns void
language plpgsql
security definer
set search_path = waybill, pg_temp
set timezone = 'UTC'
as $$
declare
    -- what cannot be read at all is kept raw, and no part of the ledger
    v_elements jsonb[] := array(
        select r.doc
        from waybill.list_elements(convert_from(p_body, 'UTF8')::json)
            as e (value)
        cross join waybill.read_json(convert_to(e.value, 'UTF8')) r
        where waybill.to_key(r.doc ->> 'id') is not null);
    v_failed text[] := array[]::text[];
    v_known jsonb;
begin
    if not waybill.begin_page(p_mode, p_object, p_query) then
        return;
    end if;
    if p_before is not null then
        v_known := coalesce((
            select jsonb_object_agg(b.id, 0)
            from unnest(p_before) as b (id)), '{}');
    else
        v_known := coalesce((
            select jsonb_object_agg(k.easypost_id, k.digest)
            from waybill.known_objects(p_object, array(
                select e.doc ->> 'id'
                from unnest(v_elements) as e (doc))) k), '{}');
        perform api.record_answer('GET', p_path, p_query, 200, p_body, p_mode,
            null);
        v_failed := waybill.repair_objects(p_mode, p_object, v_elements);
    end if;
    perform waybill.note_ledger(p_mode, p_object, p_since, v_elements,
        v_known, v_failed);
end
$$;
revoke all on function admin.reconcile_page(
    text, text, date, text, text, bytea, text[]) from public;
grant execute on function admin.reconcile_page(
    text, text, date, text, text, bytea, text[]) to waybill_jobs;
