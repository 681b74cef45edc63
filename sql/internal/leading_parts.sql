-- Parts of the sums of the leading routes, to be summed: what is merged, and what is
-- not yet, which is looked through once and not once for each route.
create or replace function waybill.leading_parts(p_mode text)
returns setof waybill.recent_routes
language plpgsql
stable
parallel safe
as $$
begin
    return query
    with first as materialized (
        select l.*
        from waybill.leading_routes(p_mode) l
    ),
    noted as materialized (
        select d.mode, d.from_city, d.from_state, d.from_country, d.to_city,
            d.to_state, d.to_country, d.currency,
            sum(d.shipments)::bigint as shipments, sum(d.cost) as cost,
            sum(d.costed)::bigint as costed,
            sum(d.timed)::bigint as delivered,
            sum(d.seconds)::bigint as seconds
        from waybill.shipment_deltas d
        join waybill.analytics_state a on a.mode = d.mode
        where d.xid >= a.horizon
            and d.mode = p_mode
            and d.date >= a.routes_from
        group by 1, 2, 3, 4, 5, 6, 7, 8
    )
    select r.*
    from first l
    join waybill.recent_routes r on row(r.mode, r.from_city, r.from_state,
        r.from_country, r.to_city, r.to_state, r.to_country) = row(p_mode,
        l.from_city, l.from_state, l.from_country, l.to_city, l.to_state,
        l.to_country)
    union all
    select n.*
    from first l
    join noted n on row(n.from_city, n.from_state, n.from_country, n.to_city,
        n.to_state, n.to_country) = row(l.from_city, l.from_state,
        l.from_country, l.to_city, l.to_state, l.to_country);
end
$$;
revoke all on function waybill.leading_parts(text) from public;
