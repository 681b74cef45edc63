-- What the shipments of these days (UTC, of creation) say themselves: read by as many
-- processes as PostgreSQL allows, which only a function that returns a query does.
create or replace function waybill.fresh_days(p_first date, p_last date)
returns setof waybill.fresh_day
language plpgsql
stable
as $$
begin
    return query
    select s.date, s.mode, s.carrier, s.service, s.currency, p.days,
        s.from_country, s.to_country, p.rest * s.shipments,
        p.rest * s.purchased, p.rest * s.delivered, p.rest * s.in_transit,
        p.rest * s.failed, p.rest * s.cancelled, p.rest * s.on_time,
        p.rest * s.promised, p.rest * s.cost, p.rest * s.costed,
        p.times * s.seconds, p.times * s.timed
    from (
        select f.date, f.mode, f.carrier, f.service, f.currency, f.days,
            f.from_country, f.to_country, sum(f.shipments) as shipments,
            sum(f.purchased) as purchased, sum(f.delivered) as delivered,
            sum(f.in_transit) as in_transit, sum(f.failed) as failed,
            sum(f.cancelled) as cancelled, sum(f.on_time) as on_time,
            sum(f.promised) as promised, sum(f.cost) as cost,
            sum(f.costed) as costed, sum(f.seconds)::bigint as seconds,
            sum(f.timed) as timed
        from waybill.shipments s
        cross join lateral waybill.shipment_figures(s) f
        where s.created_at >= p_first::timestamp at time zone 'UTC'
            and s.created_at < (p_last + 1)::timestamp at time zone 'UTC'
        group by 1, 2, 3, 4, 5, 6, 7, 8) s
    cross join lateral (values (0, 1, 0), (s.days, 0, 1))
        as p (days, rest, times)
    where p.rest = 1 or s.days > 0;
end
$$;
revoke all on function waybill.fresh_days(date, date) from public;
