-- Compares the sums of these days, by day and by countries, with what the shipments
-- say, and repairs them: what is added holds whatever is merged meanwhile.  Gives how
-- many sums were not right.
create or replace function waybill.check_days(p_first date, p_last date)
returns bigint
language plpgsql
as $$
declare
    v record := waybill.amiss(p_first, p_last);
begin
    if cardinality(v.days) + cardinality(v.countries) = 0 then
        return 0;
    end if;
    perform waybill.hold_merges();
    insert into waybill.shipment_days as k
    select d.*
    from unnest(v.days) d
    order by d.date, d.mode, d.carrier, d.service, d.currency, d.days
    on conflict (mode, date, carrier, service, currency, days) do update
    set (shipments, purchased, delivered, in_transit, failed, cancelled,
        on_time, promised, cost, costed, seconds, timed) =
        (k.shipments + excluded.shipments, k.purchased + excluded.purchased,
        k.delivered + excluded.delivered,
        k.in_transit + excluded.in_transit, k.failed + excluded.failed,
        k.cancelled + excluded.cancelled, k.on_time + excluded.on_time,
        k.promised + excluded.promised, k.cost + excluded.cost,
        k.costed + excluded.costed, k.seconds + excluded.seconds,
        k.timed + excluded.timed);
    insert into waybill.country_days as k
    select c.*
    from unnest(v.countries) c
    order by c.date, c.mode, c.from_country, c.to_country, c.currency
    on conflict (mode, date, from_country, to_country, currency) do update
    set (shipments, cost, costed) = (k.shipments + excluded.shipments,
        k.cost + excluded.cost, k.costed + excluded.costed);
    perform waybill.check_modes();
    return cardinality(v.days) + cardinality(v.countries);
end
$$;
revoke all on function waybill.check_days(date, date) from public;
