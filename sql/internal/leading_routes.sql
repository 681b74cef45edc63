-- The thirty routes with most shipments in the last 90 days, in no order.  Only
-- routes of which unmerged notes change the number may have moved: so many are
-- looked at besides the first.  A route with several currencies has a row for each
-- and is found by its greatest: that is why there are thirty, for the ten first.
create or replace function waybill.leading_routes(p_mode text)
returns table (from_city text, from_state text, from_country text,
    to_city text, to_state text, to_country text)
language plpgsql
stable
parallel safe
rows 30
as $$
#variable_conflict use_column
begin
    return query
    with moved as (
        select d.from_city, d.from_state, d.from_country, d.to_city,
            d.to_state, d.to_country, sum(d.shipments) as shipments
        from waybill.shipment_deltas d
        join waybill.analytics_state a on a.mode = d.mode
        where d.xid >= a.horizon and d.mode = p_mode
            and d.date >= a.routes_from
        group by 1, 2, 3, 4, 5, 6
        having sum(d.shipments) <> 0
    ),
    merged as (
        select r.from_city, r.from_state, r.from_country, r.to_city,
            r.to_state, r.to_country, r.shipments
        from waybill.recent_routes r
        where r.mode = p_mode
        order by r.shipments desc
        limit 30 + 3 * (select count(*) from moved)
    ),
    counted as (
        select f.from_city, f.from_state, f.from_country, f.to_city,
            f.to_state, f.to_country, sum(f.shipments) as shipments
        from (
            select m.* from merged m
            union all
            select n.* from moved n
            union all
            select r.from_city, r.from_state, r.from_country, r.to_city,
                r.to_state, r.to_country, r.shipments
            from moved n
            join waybill.recent_routes r using (from_city, from_state,
                from_country, to_city, to_state, to_country)
            where r.mode = p_mode
                and not exists (
                    select from merged m
                    where row(m.from_city, m.from_state, m.from_country,
                        m.to_city, m.to_state, m.to_country) = row(r.from_city,
                        r.from_state, r.from_country, r.to_city, r.to_state,
                        r.to_country))) f
        group by 1, 2, 3, 4, 5, 6
        having sum(f.shipments) > 0
        order by sum(f.shipments) desc
        limit 30
    )
    select c.from_city, c.from_state, c.from_country, c.to_city, c.to_state,
        c.to_country
    from counted c;
end
$$;
revoke all on function waybill.leading_routes(text) from public;
