-- What the sums of these days lack of what the shipments say, by day and by countries;
-- empty when all is right.  Stable, so that all that it looks at is of one moment.
create or replace function waybill.amiss(p_first date, p_last date,
    out days waybill.shipment_days[], out countries waybill.country_days[])
language plpgsql
stable
as $$
declare
    v_fresh waybill.fresh_day[] := array(
        select f
        from waybill.fresh_days(p_first, p_last) f);
begin
    days := array(
        select row(s.date, s.mode, s.carrier, s.service, s.currency, s.days,
            sum(s.shipments), sum(s.purchased), sum(s.delivered),
            sum(s.in_transit), sum(s.failed), sum(s.cancelled),
            sum(s.on_time), sum(s.promised), sum(s.cost), sum(s.costed),
            sum(s.seconds), sum(s.timed))::waybill.shipment_days
        from (
            select f.date, f.mode, f.carrier, f.service, f.currency, f.days,
                f.shipments, f.purchased, f.delivered, f.in_transit,
                f.failed, f.cancelled, f.on_time, f.promised, f.cost,
                f.costed, f.seconds, f.timed
            from unnest(v_fresh) f
            union all
            select f.date, f.mode, f.carrier, f.service, f.currency, f.days,
                -f.shipments, -f.purchased, -f.delivered, -f.in_transit,
                -f.failed, -f.cancelled, -f.on_time, -f.promised, -f.cost,
                -f.costed, -f.seconds, -f.timed
            from waybill.figures f
            where f.date between p_first and p_last) s
        group by s.date, s.mode, s.carrier, s.service, s.currency, s.days
        having array[sum(s.shipments), sum(s.purchased), sum(s.delivered),
            sum(s.in_transit), sum(s.failed), sum(s.cancelled),
            sum(s.on_time), sum(s.promised), sum(s.cost), sum(s.costed),
            sum(s.seconds), sum(s.timed)] <> array_fill(0.0, array[12]));
    countries := array(
        select row(s.date, s.mode, s.from_country, s.to_country, s.currency,
            sum(s.shipments), sum(s.cost), sum(s.costed))::waybill.country_days
        from (
            select f.date, f.mode, f.from_country, f.to_country, f.currency,
                f.shipments, f.cost, f.costed
            from unnest(v_fresh) f
            union all
            select f.date, f.mode, f.from_country, f.to_country, f.currency,
                -f.shipments, -f.cost, -f.costed
            from waybill.country_figures f
            where f.date between p_first and p_last) s
        group by s.date, s.mode, s.from_country, s.to_country, s.currency
        having array[sum(s.shipments), sum(s.cost), sum(s.costed)]
            <> array_fill(0.0, array[3]));
end
$$;
revoke all on function waybill.amiss(date, date) from public;
