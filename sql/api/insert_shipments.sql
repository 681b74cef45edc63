-- Inserts a person's own shipments: all of them or, with a row for each problem,
-- none.  p_body is an object or an array of at most 1000, its fields checked;
-- p_call a UUID of this call, so that a call made again answers as before.
-- However large the tables are, a row is looked up by its key: no other joins.
create function api.insert_shipments(
    p_call uuid, p_body jsonb, p_mode text, p_actor text, p_request_id text)
returns table (id uuid, easypost_id text, reference text,
    created_at timestamptz, status integer, item integer, field text,
    problem text)
language plpgsql
security definer
set search_path = waybill, pg_temp
set timezone = 'UTC'
set plan_cache_mode = force_generic_plan
set enable_seqscan = off
set enable_hashjoin = off
set enable_mergejoin = off
as $$
declare
    v_items jsonb := case jsonb_typeof(p_body)
        when 'array' then p_body else jsonb_build_array(p_body) end;
    v_ids uuid[] := array(
        select waybill.item_id(p_call, n.at)
        from generate_series(0, jsonb_array_length(v_items) - 1) as n (at));
begin
    if not exists (
        select from waybill.shipments s
        where s.id = v_ids[1])
    then
        perform waybill.lock_items(v_items);
        return query
            select null::uuid, null, null, null::timestamptz, p.status, p.item,
                p.field, p.problem
            from waybill.shipment_item_problems(v_items) p;
        if found then
            return;
        end if;
        perform waybill.begin_change(p_actor, p_request_id);
        perform waybill.insert_item_parts(p_call, v_items, p_mode);
        perform waybill.insert_own_shipments(p_call, v_items, p_mode);
        perform waybill.settle_items(v_ids);
    end if;
    return query
        select s.id, s.easypost_id, s.reference, s.created_at, null::integer,
            null::integer, null, null
        from waybill.shipments s
        where s.id = any (v_ids)
        order by s.id;
end
$$;
revoke all on function api.insert_shipments(uuid, jsonb, text, text, text)
from public;
grant execute on function api.insert_shipments(uuid, jsonb, text, text, text)
to waybill_worker;
