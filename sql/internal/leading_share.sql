-- How many shipments one of its rows has at least of a route that leads.  Of so many
-- rows as ten routes and those that unmerged notes move can have at most, the least is of
-- no more shipments than the tenth route has; and whoever has as many has its share of
-- them in one of its rows.
create or replace function waybill.leading_share(p_mode text)
returns bigint
language plpgsql
stable
parallel safe
as $$
declare
    v_currencies bigint := waybill.route_currencies(p_mode);
    v_moved bigint := (
        select count(*)
        from (
            select
            from waybill.shipment_deltas d
            join waybill.analytics_state a on a.mode = d.mode
            where d.xid >= a.horizon
                and d.mode = p_mode
                and d.date >= a.routes_from
            group by d.from_city, d.from_state, d.from_country, d.to_city,
                d.to_state, d.to_country
            having sum(d.shipments) <> 0) m);
begin
    return coalesce((
        select r.shipments / v_currencies
        from waybill.recent_routes r
        where r.mode = p_mode
        order by r.shipments desc
        offset v_currencies * (10 + v_moved) - 1
        limit 1), 0);
end
$$;
revoke all on function waybill.leading_share(text) from public;
