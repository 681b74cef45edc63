-- How many currencies the routes of a mode have; one at least.  Told by the countries,
-- whose sums are of the same shipments and are few: to read all routes is slow.
create or replace function waybill.route_currencies(p_mode text)
returns bigint
language plpgsql
stable
parallel safe
as $$
begin
    return (
        select greatest(count(*), 1)
        from (
            select distinct c.currency
            from waybill.analytics_state a
            join waybill.country_days c
                on c.mode = a.mode
                and c.date >= a.routes_from
            where a.mode = p_mode) c);
end
$$;
revoke all on function waybill.route_currencies(text) from public;
