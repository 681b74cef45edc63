-- As fresh_days, by route, of what the sums by route are of.
create or replace function waybill.fresh_routes(p_first date, p_last date)
returns table (mode text, from_city text, from_state text, from_country text,
    to_city text, to_state text, to_country text, currency text,
    shipments bigint, cost numeric, costed bigint, delivered bigint,
    seconds bigint)
language plpgsql
stable
as $$
begin
    return query
    select f.mode, f.from_city, f.from_state, f.from_country, f.to_city,
        f.to_state, f.to_country, f.currency, sum(f.shipments), sum(f.cost),
        sum(f.costed), sum(f.timed), sum(f.seconds)::bigint
    from waybill.analytics_state a
    join waybill.shipments s
        on s.created_at >= a.routes_from::timestamp at time zone 'UTC'
        and s.mode = a.mode
    cross join lateral waybill.shipment_figures(s) f
    where s.created_at >= p_first::timestamp at time zone 'UTC'
        and s.created_at < (p_last + 1)::timestamp at time zone 'UTC'
    group by 1, 2, 3, 4, 5, 6, 7, 8;
end
$$;
revoke all on function waybill.fresh_routes(date, date) from public;
