-- What carriers bill later: the invoices that EasyPost's events tell of, and what they
-- add to the cost of a shipment.

create table waybill.shipment_invoices (
    id uuid primary key default waybill.uuid_generate_v7(),
    easypost_id text collate "C" not null
        constraint shipment_invoices_easypost_id_key unique,
    created_at timestamptz not null,
    updated_at timestamptz not null,
    mode text not null default 'production'
        constraint shipment_invoices_mode_check
        check (mode in ('test', 'production')),
    status text,
    type text,
    tracking_code text collate "C",
    carrier text,
    shipment_easypost_id text collate "C",
    amount numeric,
    currency text,
    reason text,
    invoiced_at timestamptz,
    doc_updated_at timestamptz not null,
    doc_richness integer not null,
    doc_digest bigint not null,
    recorded_at timestamptz not null default now()
);
comment on table waybill.shipment_invoices is
    'What carriers billed after the purchase, as EasyPost''s shipment.invoice events
tell; of each the newest.  Belongs to the shipment with shipment_easypost_id, else to
the one with tracking_code where no other has it';
comment on column waybill.shipment_invoices.amount is
    'What it adds to what the label was to cost; below zero: given back; null: not
told, or not readable';
comment on column waybill.shipment_invoices.updated_at is
    'The document''s, else that of the event which told it last';
-- One look finds those of a shipment by its id and by its code.
create index ix_shipment_invoices_shipment on waybill.shipment_invoices
    (coalesce(shipment_easypost_id, tracking_code));
grant select on waybill.shipment_invoices to waybill_reader;

alter table waybill.shipments
    add column adjustment numeric,
    add column adjustment_count integer not null default 0;
comment on column waybill.shipments.adjustment is
    'Sum of what its invoices (shipment_invoices) add; null: there is none, or it is
not known in the shipment''s currency, and total_cost neither';
comment on column waybill.shipments.adjustment_count is
    'How many invoices adjustment sums up';
comment on column waybill.shipments.total_cost is
    'The true cost: sum of the fees less what was refunded (the selected rate when no
fees are told) plus adjustment; null: not known';
comment on column waybill.shipments.fees is
    'What EasyPost charged with the purchase, fee by fee: type, amount, refunded';

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
        case when s.adjustment_count = 0 then f.other_fees
            else coalesce(f.other_fees, 0) + s.adjustment end as other_fees,
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
comment on column waybill.shipment_metrics.other_fees is
    'Fees of other types, and what invoices add';

-- Events that were kept, because nobody could apply them: jobs do it.  Not before the
-- functions for it are there, which come behind the last migration.
insert into waybill.jobs (kind, payload, run_at)
select 'replay_event', jsonb_build_object('id', e.id),
    now() + interval '15 minutes'
from waybill.webhook_events e
where e.object = 'ShipmentInvoice';
