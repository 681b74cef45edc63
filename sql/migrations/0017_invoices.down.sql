-- Jobs that wait would do nothing, and be done once more after the next way up.
delete from waybill.jobs j
using waybill.webhook_events e
where j.kind = 'replay_event'
    and j.state = 'queued'
    and j.payload ->> 'id' = e.id::text
    and e.object = 'ShipmentInvoice';

-- Costs without what was billed later, and by how much that changes the figures: the
-- trigger that notes it needs functions that are not there now.
alter table waybill.shipments disable trigger shipments_changed_figures;
insert into waybill.shipment_deltas
select f.date, f.mode, f.carrier, f.service, f.currency, f.days, f.from_city,
    f.from_state, f.from_country, f.to_city, f.to_state, f.to_country,
    -f.shipments, -f.purchased, -f.delivered, -f.in_transit, -f.failed,
    -f.cancelled, -f.on_time, -f.promised, -f.cost, -f.costed, -f.seconds
from waybill.shipments s
cross join lateral waybill.shipment_figures(s) f
where s.adjustment_count > 0;
update waybill.shipments s
set total_cost = case when s.fees is not null then (
        select case when coalesce(bool_and(e.amount is not null), true)
            and coalesce(sum(e.amount), 0) >= 0
            then coalesce(sum(e.amount), 0) end
        from jsonb_to_recordset(s.fees) as e (type text, amount numeric,
            refunded boolean)
        where not e.refunded
            and not (s.refund_status is not distinct from 'refunded'
                and e.type = 'PostageFee'))
    when s.refund_status = 'refunded' and s.base_cost is not null then 0
    else coalesce(s.total_cost - s.adjustment, s.base_cost) end
where s.adjustment_count > 0;
insert into waybill.shipment_deltas
select f.*
from waybill.shipments s
cross join lateral waybill.shipment_figures(s) f
where s.adjustment_count > 0;
alter table waybill.shipments enable trigger shipments_changed_figures;

comment on column waybill.shipment_metrics.other_fees is null;
create or replace view waybill.shipment_metrics as
    select s.id,
        s.id as shipment_id,
        s.created_at,
        round(extract(epoch from s.purchased_at - s.created_at), 3)
            as creation_to_purchase_time,
        null::numeric as purchase_to_label_time,
        round(extract(epoch from s.purchased_at - s.created_at), 3)
            as total_processing_time,
        s.base_cost as base_rate,
        null::numeric as fuel_surcharge,
        f.insurance_cost,
        f.tracking_cost,
        f.other_fees,
        s.total_cost,
        s.currency,
        s.delivery_days::numeric as estimated_delivery_days,
        d.days as actual_delivery_days,
        l.days::numeric as delivery_delay_days,
        waybill.is_on_time(s.delivered_at, s.promised_at,
            s.delivery_date is not null, s.to_address ->> 'country',
            s.to_address ->> 'state') as was_on_time,
        e.updates as tracking_updates_count,
        e.exceptions as exception_events_count,
        case when s.status = 'delivered' then greatest(e.attempts, 1)
            when e.attempts > 0 then e.attempts end as delivery_attempts,
        s.from_address ->> 'country' as origin_country,
        s.to_address ->> 'country' as destination_country,
        null::numeric as distance_km,
        s.carrier,
        s.service,
        s.parcel ->> 'predefined_package' as package_type,
        round(s.weight * 0.028349523125, 3) as weight_kg
    from waybill.shipments s
    cross join lateral (
        select case when s.delivered_at >= s.purchased_at then round(
            extract(epoch from s.delivered_at - s.purchased_at) / 86400, 3)
            end as days) d
    cross join lateral (
        select case when a.west = a.east then a.west end as days
        from (
            select waybill.days_after(s.delivered_at, s.promised_at,
                    s.delivery_date is not null, z.zones ->> 0) as west,
                waybill.days_after(s.delivered_at, s.promised_at,
                    s.delivery_date is not null, z.zones ->> 1) as east
            from (
                select waybill.zones_of(s.to_address ->> 'country',
                    s.to_address ->> 'state') as zones) z) a) l
    cross join lateral (
        select sum(e.amount) filter (where e.type = 'InsuranceFee')
                as insurance_cost,
            sum(e.amount) filter (where e.type = 'TrackerFee')
                as tracking_cost,
            sum(e.amount) filter (where e.type not in ('PostageFee',
                'InsuranceFee', 'TrackerFee')) as other_fees
        from jsonb_to_recordset(s.fees) as e (type text, amount numeric,
            refunded boolean)
        where e.refunded is not true) f
    cross join lateral (
        select count(*)::integer as updates,
            count(*) filter (where e.status in ('failure', 'error',
                'return_to_sender'))::integer as exceptions,
            count(*) filter (where e.status = 'out_for_delivery')::integer
                as attempts
        from waybill.shipment_events e
        where e.shipment_id = s.id) e
    where s.deleted_at is null;
comment on column waybill.shipments.fees is
    'What EasyPost charged, fee by fee: type, amount, refunded';
comment on column waybill.shipments.total_cost is
    'Sum of the fees less what was refunded; the selected rate when none are told';
alter table waybill.shipments
    drop column adjustment,
    drop column adjustment_count;
drop table waybill.shipment_invoices;
