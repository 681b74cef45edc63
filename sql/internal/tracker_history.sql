-- The union of the details known and those of another document: oldest first,
-- nulls left out, so that a field that appears later as null changes nothing.
-- fresh: those that were not known; delivered_at: the newest delivery.
create or replace function waybill.tracker_history(
    p_known jsonb, p_details jsonb,
    out details jsonb, out fresh jsonb, out delivered_at timestamptz)
language plpgsql
stable
as $$
declare
    v_all jsonb := case when jsonb_typeof(p_details) = 'array'
        then jsonb_strip_nulls(p_details) end;
    v_last jsonb := v_all -> -1;
begin
    -- nearly always: what is known and one more, later than all of it
    if v_all - (jsonb_array_length(v_all) - 1) = p_known
        and waybill.to_time(v_last ->> 'datetime')
            > waybill.to_time(p_known -> -1 ->> 'datetime')
        and not p_known @> '[{"status": "delivered"}]'
    then
        details := v_all;
        fresh := jsonb_build_array(v_last);
        delivered_at := case when v_last ->> 'status' = 'delivered'
            then waybill.to_time(v_last ->> 'datetime') end;
        return;
    end if;
    select jsonb_agg(u.detail order by u.at nulls first, u.detail),
        jsonb_agg(u.detail) filter (where u.is_fresh),
        max(u.at) filter (where u.detail ->> 'status' = 'delivered')
    into details, fresh, delivered_at
    from (
        select d.detail,
            waybill.to_time(d.detail ->> 'datetime') as at,
            not bool_or(d.is_known) as is_fresh
        from (
            select k.value, true
            from jsonb_array_elements(p_known) as k
            union all
            select jsonb_strip_nulls(n.value), false
            from jsonb_array_elements(case jsonb_typeof(p_details)
                when 'array' then p_details end) as n
            where jsonb_typeof(n.value) = 'object') as d (detail, is_known)
        group by d.detail) u;
end
$$;
revoke all on function waybill.tracker_history(jsonb, jsonb) from public;
