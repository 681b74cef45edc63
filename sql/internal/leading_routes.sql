-- The ten routes with most shipments in the last 90 days; of equal ones the first by
-- their names.  A route has a row for each currency.
create or replace function waybill.leading_routes(p_mode text)
returns table (from_city text, from_state text, from_country text,
    to_city text, to_state text, to_country text)
language plpgsql
stable
parallel safe
rows 10
as $$
#variable_conflict use_column
declare
    -- known before rows are looked for: PostgreSQL would take them for a third of
    -- all, and read all
    v_share bigint := waybill.leading_share(p_mode);
begin
    return query
    with moved as materialized (
        select d.from_city, d.from_state, d.from_country, d.to_city,
            d.to_state, d.to_country, sum(d.shipments) as shipments
        from waybill.shipment_deltas d
        join waybill.analytics_state a on a.mode = d.mode
        where d.xid >= a.horizon and d.mode = p_mode
            and d.date >= a.routes_from
        group by 1, 2, 3, 4, 5, 6
        having sum(d.shipments) <> 0
    ),
    looked_at as (
        select r.from_city, r.from_state, r.from_country, r.to_city,
            r.to_state, r.to_country
        from waybill.recent_routes r
        where r.mode = p_mode
            and r.shipments >= v_share
        union
        select n.from_city, n.from_state, n.from_country, n.to_city,
            n.to_state, n.to_country
        from moved n
    )
    select f.from_city, f.from_state, f.from_country, f.to_city, f.to_state,
        f.to_country
    from (
        select n.* from moved n
        union all
        select l.*, r.shipments
        from looked_at l
        join waybill.recent_routes r using (from_city, from_state,
            from_country, to_city, to_state, to_country)
        where r.mode = p_mode) f
    group by 1, 2, 3, 4, 5, 6
    having sum(f.shipments) > 0
    order by sum(f.shipments) desc, 1, 2, 3, 4, 5, 6
    limit 10;
end
$$;
revoke all on function waybill.leading_routes(text) from public;
