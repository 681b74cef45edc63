-- What the shipments of these days (UTC, of creation) say themselves: read by as many
-- processes as PostgreSQL allows, which only a function that returns a query does.
create or replace function waybill.fresh_days(p_first date, p_last date)
returns setof waybill.fresh_day
language plpgsql
stable
as $$
begin
    return query
    select f.date, f.mode, f.carrier, f.service, f.currency, f.days,
        f.from_country, f.to_country, sum(f.shipments), sum(f.purchased),
        sum(f.delivered), sum(f.in_transit), sum(f.failed), sum(f.cancelled),
        sum(f.on_time), sum(f.promised), sum(f.cost), sum(f.costed),
        sum(f.seconds)::bigint
    from waybill.shipments s
    cross join lateral waybill.shipment_figures(s) f
    where s.created_at >= p_first::timestamp at time zone 'UTC'
        and s.created_at < (p_last + 1)::timestamp at time zone 'UTC'
    group by 1, 2, 3, 4, 5, 6, 7, 8;
end
$$;
revoke all on function waybill.fresh_days(date, date) from public;
