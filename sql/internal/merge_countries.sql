-- The part of merge_figures that is by day and countries.
create or replace function waybill.merge_countries(p_taken pg_snapshot)
returns void
language sql
as $$
    insert into waybill.country_days as k
    select d.date, d.mode, d.from_country, d.to_country, d.currency,
        sum(d.shipments), sum(d.cost), sum(d.costed)
    from waybill.shipment_deltas d
    where pg_visible_in_snapshot(d.xid, p_taken)
        and (d.shipments, d.cost, d.costed) <> (0, 0, 0)
    group by 1, 2, 3, 4, 5
    having row(sum(d.shipments), sum(d.cost), sum(d.costed)) <> row(0, 0.0, 0)
    order by 1, 2, 3, 4, 5
    on conflict (mode, date, from_country, to_country, currency) do update
    set (shipments, cost, costed) = (k.shipments + excluded.shipments,
        k.cost + excluded.cost, k.costed + excluded.costed)
$$;
revoke all on function waybill.merge_countries(pg_snapshot) from public;
