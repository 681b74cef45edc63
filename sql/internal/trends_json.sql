-- One member for each day of a period, the oldest first; days without shipments
-- too.
create or replace function waybill.trends_json(
    p_mode text, p_first date, p_last date)
returns json
language plpgsql
stable
parallel safe
as $$
begin
    return (
        select json_agg(json_build_object(
            'date', g.date::date,
            'count', coalesce(d.shipments, 0),
            'delivered', coalesce(d.delivered, 0),
            'failed', coalesce(d.failed, 0),
            'costs', coalesce(d.costs, '[]')) order by g.date)
        from generate_series(p_first::timestamp, p_last, interval '1 day')
            as g (date)
        left join (
            select c.date,
                sum(c.shipments) as shipments,
                sum(c.delivered) as delivered,
                sum(c.failed) as failed,
                waybill.costs_json(array_agg(c.currency), array_agg(c.cost),
                    array_agg(c.costed)) as costs
            from (
                select f.date, f.currency, sum(f.shipments) as shipments,
                    sum(f.delivered) as delivered, sum(f.failed) as failed,
                    sum(f.cost) as cost, sum(f.costed)::bigint as costed
                from waybill.figures f
                where f.mode = p_mode
                    and f.date between p_first and p_last
                group by f.date, f.currency) c
            group by c.date) d on d.date = g.date::date);
end
$$;
revoke all on function waybill.trends_json(text, date, date) from public;
