-- As check_days, of the sums by countries.
create or replace function waybill.check_countries(p_first date, p_last date)
returns bigint
language sql
as $$
    with said as (
        select f.date, f.mode, f.from_country, f.to_country, f.currency,
            f.shipments, f.cost, f.costed
        from waybill.shipments s
        cross join lateral waybill.shipment_figures(s) f
        where s.created_at >= p_first::timestamp at time zone 'UTC'
            and s.created_at < (p_last + 1)::timestamp at time zone 'UTC'
        union all
        select f.date, f.mode, f.from_country, f.to_country, f.currency,
            -f.shipments, -f.cost, -f.costed
        from waybill.country_figures f
        where f.date between p_first and p_last
    ),
    repaired as (
        insert into waybill.country_days as k
        select s.date, s.mode, s.from_country, s.to_country, s.currency,
            sum(s.shipments), sum(s.cost), sum(s.costed)
        from said s
        group by 1, 2, 3, 4, 5
        having case when row(sum(s.shipments), sum(s.cost), sum(s.costed))
            <> row(0, 0.0, 0) then waybill.hold_merges() end
        order by 1, 2, 3, 4, 5
        on conflict (mode, date, from_country, to_country, currency) do update
        set (shipments, cost, costed) = (k.shipments + excluded.shipments,
            k.cost + excluded.cost, k.costed + excluded.costed)
        returning 1
    )
    select count(*) from repaired
$$;
revoke all on function waybill.check_countries(date, date) from public;
