-- By how much an update changes the figures.  Each is taken from the columns it needs:
-- a row as a value would be made whole first, with all documents in it.  due: the
-- day by which a parcel under way was promised (late_count), which no sum has: when
-- only that changes, a note of nothing says that what was ready is so no longer.
create or replace function waybill.note_changed_figures()
returns trigger
language plpgsql
as $$
begin
    insert into waybill.shipment_deltas
    select c.date, c.mode, c.carrier, c.service, c.currency, c.days,
        c.from_city, c.from_state, c.from_country, c.to_city, c.to_state,
        c.to_country, sum(c.sign * c.shipments), sum(c.sign * c.purchased),
        sum(c.sign * c.delivered), sum(c.sign * c.in_transit),
        sum(c.sign * c.failed), sum(c.sign * c.cancelled),
        sum(c.sign * c.on_time), sum(c.sign * c.promised),
        sum(c.sign * c.cost), sum(c.sign * c.costed),
        sum(c.sign * c.seconds)
    from (
        select -1 as sign, waybill.due_day(o.promised_at, o.delivered_at,
            o.status) as due, f.*
        from old_shipments o
        cross join lateral waybill.shipment_figures(o::waybill.shipments) f
        union all
        select 1, waybill.due_day(n.promised_at, n.delivered_at, n.status),
            f.*
        from new_shipments n
        cross join lateral waybill.shipment_figures(n::waybill.shipments) f) c
    group by 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12
    having row(sum(c.sign * c.shipments), sum(c.sign * c.purchased),
        sum(c.sign * c.delivered), sum(c.sign * c.in_transit),
        sum(c.sign * c.failed), sum(c.sign * c.cancelled),
        sum(c.sign * c.on_time), sum(c.sign * c.promised),
        sum(c.sign * c.cost), sum(c.sign * c.costed), sum(c.sign * c.seconds),
        sum(c.sign * c.due))
        <> row(0, 0, 0, 0, 0, 0, 0, 0, 0.0, 0, 0, 0);
    return null;
end
$$;
revoke all on function waybill.note_changed_figures() from public;
