-- Reads that only copy, and updates that open less.
--
-- ready: most of what a read shows of a shipment, as JSON.  To write thirty
-- values as text costs PostgreSQL more than to find the row, and a list does it
-- fifty times; done once, when the row is written, a read copies it.

-- An instant as answers show it, whatever the session's DateStyle.
create function waybill.moment_text(p_at timestamptz)
returns text
language sql
stable
parallel safe
begin atomic
    select (to_json(p_at at time zone 'UTC') #>> '{}') || 'Z';
end;

create type waybill.ready_shipment as (
    easypost_id text,
    tracking_code text,
    status text,
    mode text,
    reference text,
    carrier text,
    service text,
    base_cost text,
    total_cost text,
    currency text,
    insurance text,
    delivery_days integer,
    delivery_date text,
    est_delivery_date text,
    promised_at text,
    purchased_at text,
    delivered_at text,
    signed_by text,
    weight numeric,
    is_return boolean,
    order_id text,
    batch_id text,
    batch_status text,
    refund_status text,
    selected_rate_id text,
    tracker_id uuid,
    label_url text,
    updated_at text
);
comment on type waybill.ready_shipment is 'The members of shipments.ready';

-- What no row may hold is refused here too, and not by checks: PostgreSQL reads,
-- plans and prepares each check of a table again in every statement that writes
-- to it, and the seven of this one took a tenth of an event's time.
create function waybill.make_ready()
returns trigger
language plpgsql
as $$
begin
    if new.mode not in ('test', 'production') or new.base_cost < 0
        or new.total_cost < 0 or new.insurance < 0 or new.delivery_days < 0
        or new.weight <= 0 or new.currency !~ '^[A-Z]{3}$'
    then
        raise check_violation using table = 'shipments', schema = 'waybill',
            message = format('shipment %s: a mode, cost, insurance, weight, '
                'currency or number of days that cannot be', new.id);
    end if;
    new.ready := row_to_json(row(new.easypost_id, new.tracking_code,
        new.status, new.mode, new.reference, new.carrier, new.service,
        new.base_cost::text, new.total_cost::text, new.currency,
        new.insurance::text, new.delivery_days,
        waybill.moment_text(new.delivery_date),
        waybill.moment_text(new.est_delivery_date),
        waybill.moment_text(new.promised_at),
        waybill.moment_text(new.purchased_at),
        waybill.moment_text(new.delivered_at), new.signed_by, new.weight,
        new.is_return, new.order_id, new.batch_id, new.batch_status,
        new.refund_status, new.selected_rate_id, new.tracker_id,
        new.label_url, waybill.moment_text(new.updated_at)
        )::waybill.ready_shipment);
    return new;
end
$$;
revoke all on function waybill.moment_text(timestamptz), waybill.make_ready()
from public;

-- Two rows fill a page.  What lists show stands in the row as it is: of the
-- documents only the rates, which no list shows, have to be fetched.  No room is
-- kept for updates in place, which the index on status does not let happen.
alter table waybill.shipments set (fillfactor = 100, toast_tuple_target = 4080);
alter table waybill.shipments
    add column ready json,
    alter column ready set storage external,
    alter column from_address set storage external,
    alter column to_address set storage external,
    alter column parcel set storage external;
comment on column waybill.shipments.ready is
    'The plain members of what reads show, made of the other columns by a trigger';
create trigger shipments_ready
    before insert or update on waybill.shipments
    for each row execute function waybill.make_ready();
alter table waybill.shipments enable always trigger shipments_ready;
update waybill.shipments s
set from_address = (s.from_address #>> '{}')::json,
    to_address = (s.to_address #>> '{}')::json,
    parcel = (s.parcel #>> '{}')::json;
alter table waybill.shipments alter column ready set not null;

-- Lists of one carrier, status, service or batch begin where their page begins,
-- and end with it.
create index ix_shipments_carrier_created
    on waybill.shipments (carrier, created_at, id)
    where deleted_at is null;
drop index waybill.ix_shipments_carrier_service_created;
create index ix_shipments_carrier_service_created
    on waybill.shipments (carrier, service, created_at, id);
drop index waybill.ix_shipments_status_created;
create index ix_shipments_status_created
    on waybill.shipments (status, created_at, id);
drop index waybill.ix_shipments_batch;
create index ix_shipments_batch
    on waybill.shipments (batch_id, created_at, id)
    where batch_id is not null;

alter table waybill.shipments
    drop constraint shipments_mode_check,
    drop constraint shipments_base_cost_check,
    drop constraint shipments_total_cost_check,
    drop constraint shipments_insurance_check,
    drop constraint shipments_currency_check,
    drop constraint shipments_delivery_days_check,
    drop constraint shipments_weight_check;

-- Made anew by the deployment that follows, without a column that it had.
drop function if exists waybill.version_of(jsonb, integer);
