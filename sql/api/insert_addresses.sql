-- Inserts a person's own addresses: an object or an array of at most 1000 whose
-- fields were checked.  A call made again answers as before (p_call).
create function api.insert_addresses(
    p_call uuid, p_body jsonb, p_mode text, p_actor text, p_request_id text)
returns table (id uuid, name text, company text, created_at timestamptz,
    status integer, item integer, field text, problem text)
language plpgsql
security definer
set search_path = waybill, pg_temp
set timezone = 'UTC'
set plan_cache_mode = force_generic_plan
set enable_seqscan = off
as $$
declare
    v_docs jsonb[] := case jsonb_typeof(p_body)
        when 'array' then array(select jsonb_array_elements(p_body))
        else array[p_body] end;
    v_ids uuid[] := array(
        select waybill.item_id(p_call, n.at)
        from generate_series(0, cardinality(v_docs) - 1) as n (at));
begin
    if not exists (
        select from waybill.addresses a
        where a.id = v_ids[1])
    then
        perform waybill.begin_change(p_actor, p_request_id);
        perform waybill.insert_own_addresses(v_ids, v_docs, p_mode);
        insert into waybill.audit_log (action, table_name, row_id, new_row)
        select 'insert', 'addresses', a.id, jsonb_build_object(
            'name', a.name, 'company', a.company)
        from waybill.addresses a
        where a.id = any (v_ids);
    end if;
    return query
        select a.id, a.name, a.company, a.created_at, null::integer,
            null::integer, null, null
        from waybill.addresses a
        where a.id = any (v_ids)
        order by a.id;
end
$$;
revoke all on function api.insert_addresses(uuid, jsonb, text, text, text)
from public;
grant execute on function api.insert_addresses(uuid, jsonb, text, text, text)
to waybill_worker;
