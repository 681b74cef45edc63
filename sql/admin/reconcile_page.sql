-- Compares one page of a list of EasyPost's with what is here, records what is
-- missing or older, and adds both to the ledger.  p_before: what was here, where
-- the page itself has no documents (events): the ids of admin.known_events; null:
-- what is here now.
create function admin.reconcile_page(
    p_mode text, p_object text, p_path text, p_query text, p_body bytea,
    p_before text[])
returns void
language plpgsql
security definer
set search_path = waybill, pg_temp
set timezone = 'UTC'
as $$
declare
    v_elements jsonb[] := array(
        select e.value::jsonb
        from waybill.list_elements(convert_from(p_body, 'UTF8')::json)
            as e (value)
        where waybill.to_key(e.value::jsonb ->> 'id') is not null);
    v_known jsonb;
begin
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
    end if;
    perform waybill.note_ledger(p_mode, p_object, v_elements, v_known);
end
$$;
revoke all on function admin.reconcile_page(
    text, text, text, text, bytea, text[]) from public;
grant execute on function admin.reconcile_page(
    text, text, text, text, bytea, text[]) to waybill_jobs;
