-- The union of the details known and those of another document: oldest first,
-- nulls left out, so that a field that appears later as null changes nothing.
-- fresh: those that were not known; delivered_at: the newest delivery.
create or replace function waybill.tracker_history(
    p_known jsonb, p_details jsonb,
    out details jsonb, out fresh jsonb, out delivered_at timestamptz)
language plpgsql
stable
as $$
begin
    select jsonb_agg(u.detail order by u.at nulls first, u.detail::text
            collate "C"),
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
