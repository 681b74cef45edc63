-- Figures that say no more than is known: a delivery is counted by its status, on
-- time by the day where the parcel arrives, a cost without a currency is added to no
-- other, and 90 days are 90.

-- Whoever merges waits, before he holds anything that is changed here.
select pg_advisory_xact_lock(hashtextextended('waybill.merge', 0));

-- The zones of a country, or of a state of it, the most western and the most eastern:
-- where these differ nobody knows in which a parcel arrives.  Etc/GMT+5 is five hours
-- behind UTC.  A constant, because it is looked up for half of all deliveries: a row of
-- a table takes forty times as long.
do $do$
begin
    execute format('create function waybill.time_zones()
returns jsonb
language sql
immutable
parallel safe
as $$ select %L::jsonb $$', (
        select jsonb_object_agg(p.place, jsonb_build_array(z.west,
            coalesce(z.east, z.west)))
        from (values
            ('America/New_York', null::text,
            'US-CT US-DC US-DE US-GA US-MA US-MD US-ME US-NC US-NH US-NJ
            US-NY US-OH US-PA US-RI US-SC US-VA US-VT US-WV BS HT TC'),
            ('America/Chicago', 'America/New_York',
            'US-FL US-IN US-KY US-MI US-TN'),
            ('America/Chicago', null,
            'US-AL US-AR US-IA US-IL US-LA US-MN US-MO US-MS US-OK US-WI'),
            ('America/Denver', 'America/Chicago',
            'US-KS US-ND US-NE US-SD US-TX'),
            ('America/Denver', null,
            'US-CO US-MT US-NM US-UT US-WY'),
            ('America/Phoenix', 'America/Denver',
            'US-AZ'),
            ('America/Los_Angeles', 'America/Denver',
            'US-ID US-NV US-OR'),
            ('America/Los_Angeles', null,
            'US-CA US-WA'),
            ('America/Adak', 'America/Anchorage',
            'US-AK'),
            ('Pacific/Honolulu', null,
            'US-HI'),
            ('Pacific/Honolulu', 'America/New_York',
            'US'),
            ('Etc/GMT+12', 'Etc/GMT-14',
            'US-AA US-AE US-AP'),
            ('America/Halifax', null,
            'CA-NB CA-NS CA-PE'),
            ('America/Halifax', 'America/St_Johns',
            'CA-NL'),
            ('America/Toronto', 'America/Halifax',
            'CA-QC'),
            ('America/Winnipeg', 'America/Toronto',
            'CA-ON'),
            ('America/Winnipeg', null,
            'CA-MB'),
            ('America/Edmonton', null,
            'CA-AB CA-NT'),
            ('America/Edmonton', 'America/Toronto',
            'CA-NU'),
            ('America/Vancouver', 'America/Edmonton',
            'CA-BC'),
            ('America/Vancouver', 'America/St_Johns',
            'CA'),
            ('America/Tijuana', 'America/Cancun',
            'MX'),
            ('America/Havana', null,
            'CU'),
            ('Atlantic/Bermuda', null,
            'BM'),
            ('Pacific/Easter', 'America/Santiago',
            'CL'),
            ('Etc/GMT+7', null,
            'CA-YT'),
            ('Etc/GMT+6', null,
            'CA-SK BZ CR GT HN NI SV'),
            ('Etc/GMT+6', 'Etc/GMT+5',
            'EC'),
            ('Etc/GMT+5', null,
            'BR-AC CO JM KY PA PE'),
            ('Etc/GMT+4', null,
            'BR-AM BR-MS BR-MT BR-RO BR-RR US-PR US-VI AG AI AW BB BL BO BQ
            CW DM DO GD GP GY KN LC MF MQ MS PR SX TT VC VE VG VI'),
            ('Etc/GMT+4', 'Etc/GMT+3',
            'PY'),
            ('Etc/GMT+3', null,
            'BR-AL BR-AP BR-BA BR-CE BR-DF BR-ES BR-GO BR-MA BR-MG BR-PA
            BR-PB BR-PE BR-PI BR-PR BR-RJ BR-RN BR-RS BR-SC BR-SE BR-SP
            BR-TO AR FK GF SR UY'),
            ('Etc/GMT+5', 'Etc/GMT+2',
            'BR'),
            ('Etc/GMT+3', 'Etc/GMT+2',
            'PM'),
            ('Etc/GMT+4', 'Etc/GMT',
            'GL'),
            ('Etc/GMT+1', null,
            'CV'),
            ('Etc/GMT', null,
            'BF CI GH GM GN GW IS LR ML MR SH SL SN ST TG'),
            ('Etc/GMT', 'Etc/GMT-1',
            'EH MA'),
            ('Europe/London', null,
            'FO GB GG IE IM JE'),
            ('Atlantic/Azores', 'Europe/Lisbon',
            'PT'),
            ('Atlantic/Canary', 'Europe/Madrid',
            'ES'),
            ('Europe/Berlin', null,
            'AD AL AT BA BE CH CZ DE DK FR GI HR HU IT LI LU MC ME MK MT NL
            NO PL RS SE SI SJ SK SM VA XK'),
            ('Europe/Helsinki', null,
            'AX BG CY EE FI GR LT LV MD RO UA'),
            ('Africa/Cairo', null,
            'EG'),
            ('Asia/Beirut', null,
            'LB'),
            ('Asia/Jerusalem', null,
            'IL PS'),
            ('Etc/GMT-1', null,
            'AO BJ CF CG CM DZ GA GQ NE NG TD TN'),
            ('Etc/GMT-1', 'Etc/GMT-2',
            'CD'),
            ('Etc/GMT-2', null,
            'BI BW LS LY MW MZ NA RW SD SS SZ ZA ZM ZW'),
            ('Etc/GMT-2', 'Etc/GMT-3',
            'JO SY'),
            ('Etc/GMT-3', null,
            'BH BY DJ ER ET IQ KE KM KW MG QA SA SO TR TZ UG YE YT'),
            ('Asia/Tehran', null,
            'IR'),
            ('Etc/GMT-4', null,
            'AE AM AZ GE MU OM RE SC'),
            ('Asia/Kabul', null,
            'AF'),
            ('Etc/GMT-5', null,
            'MV PK TJ TM UZ'),
            ('Etc/GMT-5', 'Etc/GMT-6',
            'KZ'),
            ('Asia/Kolkata', null,
            'IN LK'),
            ('Asia/Kathmandu', null,
            'NP'),
            ('Etc/GMT-6', null,
            'BD BT IO KG'),
            ('Asia/Yangon', null,
            'CC MM'),
            ('Etc/GMT-7', null,
            'CX KH LA TH VN'),
            ('Etc/GMT-7', 'Etc/GMT-8',
            'MN'),
            ('Etc/GMT-7', 'Etc/GMT-9',
            'ID'),
            ('Etc/GMT-8', null,
            'BN CN HK MO MY PH SG TW'),
            ('Etc/GMT-9', null,
            'JP KP KR PW TL'),
            ('Etc/GMT-2', 'Etc/GMT-12',
            'RU'),
            ('Australia/Perth', null,
            'AU-WA'),
            ('Australia/Darwin', null,
            'AU-NT'),
            ('Australia/Adelaide', null,
            'AU-SA'),
            ('Australia/Brisbane', null,
            'AU-QLD'),
            ('Australia/Sydney', null,
            'AU-ACT AU-NSW AU-TAS AU-VIC'),
            ('Australia/Perth', 'Australia/Sydney',
            'AU'),
            ('Etc/GMT-10', null,
            'US-GU US-MP GU MP'),
            ('Etc/GMT-10', 'Etc/GMT-11',
            'FM PG'),
            ('Etc/GMT-11', null,
            'NC SB VU'),
            ('Etc/GMT-11', 'Etc/GMT-12',
            'NF'),
            ('Pacific/Auckland', null,
            'NZ'),
            ('Etc/GMT-12', null,
            'FJ MH NR TV WF'),
            ('Etc/GMT-13', null,
            'TK TO WS'),
            ('Etc/GMT-12', 'Etc/GMT-14',
            'KI'),
            ('Etc/GMT+11', null,
            'US-AS AS NU'),
            ('Etc/GMT+10', null,
            'CK'),
            ('Etc/GMT+10', 'Etc/GMT+9',
            'PF')
        ) as z (west, east, places)
        cross join lateral regexp_split_to_table(z.places, '\s+')
            as p (place)));
end
$do$;

-- Of an unknown country: from the last place of the world to its first.
create function waybill.zones_of(p_country text, p_state text)
returns jsonb
language sql
immutable
parallel safe
as $$
    select coalesce(
        waybill.time_zones() -> (upper(p_country) || '-' || upper(p_state)),
        waybill.time_zones() -> upper(p_country),
        '["Etc/GMT+12", "Etc/GMT-14"]')
$$;

-- How many days after the promised one it arrived, in a zone.  p_is_day: what was
-- promised is a day, which EasyPost writes as a time of it that has no zone ("Z" all
-- the same); else a moment, a number of days after the purchase.
create function waybill.days_after(p_delivered_at timestamptz,
    p_promised_at timestamptz, p_is_day boolean, p_zone text)
returns integer
language sql
immutable
parallel safe
as $$
    select (p_delivered_at at time zone p_zone)::date - (p_promised_at
        at time zone case when p_is_day then 'UTC' else p_zone end)::date
$$;

drop view waybill.shipment_metrics;
drop function waybill.is_on_time(timestamptz, timestamptz);

-- On time is: delivered on the promised day or before, as days are where it
-- arrives.  Null while it is not delivered, when nothing was promised, and when it
-- depends on a zone that nobody knows.  Most need no zone: nowhere are clocks more
-- than 12 hours behind UTC or 14 ahead.
create function waybill.is_on_time(p_delivered_at timestamptz,
    p_promised_at timestamptz, p_is_day boolean, p_country text, p_state text)
returns boolean
language plpgsql
stable
parallel safe
as $$
declare
    v_first timestamptz := case when p_is_day then date_trunc('day',
        p_promised_at, 'UTC') + interval '10 hours' else p_promised_at end;
    v_last timestamptz := case when p_is_day then date_trunc('day',
        p_promised_at, 'UTC') + interval '36 hours'
        else p_promised_at + interval '26 hours' end;
    v_zones jsonb;
    v_is_on_time boolean;
begin
    if p_delivered_at < v_first then
        return true;
    elsif p_delivered_at >= v_last then
        return false;
    elsif p_delivered_at is null or p_promised_at is null then
        return null;
    end if;
    v_zones := waybill.zones_of(p_country, p_state);
    v_is_on_time := waybill.days_after(p_delivered_at, p_promised_at, p_is_day,
        v_zones ->> 0) <= 0;
    return case when v_is_on_time = (waybill.days_after(p_delivered_at,
        p_promised_at, p_is_day, v_zones ->> 1) <= 0) then v_is_on_time end;
end
$$;

-- What a shipment adds to the figures: no row when it was deleted.  Text is
-- never null, so that it can be a key.  Delivered, failed and the like go by the
-- status; days (begun ones from the purchase to the delivery) are 0, and the
-- promise is not counted, where a delivered one lacks the moments for it.
create or replace function waybill.shipment_figures(p waybill.shipments)
returns table (date date, mode text, carrier text, service text,
    currency text, days integer, from_city text, from_state text,
    from_country text, to_city text, to_state text, to_country text,
    shipments integer, purchased integer, delivered integer,
    in_transit integer, failed integer, cancelled integer, on_time integer,
    promised integer, cost numeric, costed integer, seconds bigint)
language sql
stable
parallel safe
as $$
    select (p.created_at at time zone 'UTC')::date,
        p.mode,
        coalesce(p.carrier, ''),
        coalesce(p.service, ''),
        case when p.total_cost is null then '' else coalesce(p.currency, '')
        end,
        case when o.seconds is null then 0
            else greatest(1, ceil(o.seconds / 86400)) end::integer,
        coalesce(p.from_address ->> 'city', ''),
        coalesce(p.from_address ->> 'state', ''),
        coalesce(p.from_address ->> 'country', ''),
        coalesce(p.to_address ->> 'city', ''),
        coalesce(p.to_address ->> 'state', ''),
        coalesce(p.to_address ->> 'country', ''),
        1,
        (p.purchased_at is not null)::integer,
        (p.status = 'delivered')::integer,
        (p.status in ('pre_transit', 'in_transit', 'out_for_delivery',
            'available_for_pickup'))::integer,
        (p.status in ('failure', 'error', 'return_to_sender'))::integer,
        (p.status in ('cancelled', 'canceled'))::integer,
        coalesce(o.is_on_time, false)::integer,
        (o.is_on_time is not null)::integer,
        coalesce(p.total_cost, 0),
        (p.total_cost is not null)::integer,
        coalesce(o.seconds, 0)::bigint
    from (
        select case when p.status = 'delivered'
                and p.delivered_at >= p.purchased_at
                then date_part('epoch', p.delivered_at - p.purchased_at)
                end as seconds,
            case when p.status = 'delivered' and p.delivered_at is not null
                and p.promised_at is not null
                then waybill.is_on_time(p.delivered_at, p.promised_at,
                    p.delivery_date is not null,
                    p.to_address ->> 'country', p.to_address ->> 'state')
                end as is_on_time
        offset 0) o -- each is computed once
    where p.deleted_at is null
$$;

-- --- what is there already ---------------------------------------------------

lock table waybill.shipments in share mode;
delete from waybill.shipment_deltas;
delete from waybill.shipment_days;
delete from waybill.country_days;
delete from waybill.recent_routes;
update waybill.analytics_state
set routes_from = (now() at time zone 'UTC')::date - 89;
insert into waybill.shipment_days
select f.date, f.mode, f.carrier, f.service, f.currency, f.days,
    sum(f.shipments), sum(f.purchased), sum(f.delivered), sum(f.in_transit),
    sum(f.failed), sum(f.cancelled), sum(f.on_time), sum(f.promised),
    sum(f.cost), sum(f.costed), sum(f.seconds)
from waybill.shipments s
cross join lateral waybill.shipment_figures(s) f
group by 1, 2, 3, 4, 5, 6;
insert into waybill.country_days
select f.date, f.mode, f.from_country, f.to_country, f.currency,
    sum(f.shipments), sum(f.cost), sum(f.costed)
from waybill.shipments s
cross join lateral waybill.shipment_figures(s) f
group by 1, 2, 3, 4, 5;
insert into waybill.recent_routes
select f.mode, f.from_city, f.from_state, f.from_country, f.to_city,
    f.to_state, f.to_country, f.currency, sum(f.shipments), sum(f.cost),
    sum(f.costed), sum(sign(f.days) * f.shipments), sum(f.seconds)
from waybill.analytics_state a
join waybill.shipments s
    on s.created_at >= a.routes_from::timestamp at time zone 'UTC'
    and s.mode = a.mode
cross join lateral waybill.shipment_figures(s) f
group by 1, 2, 3, 4, 5, 6, 7, 8;

-- --- what is read ------------------------------------------------------------

-- Late is what is under way when the promised day has ended everywhere, 12 hours after
-- UTC: an answer that is ready is true of half a day.
delete from waybill.dashboards;
alter table waybill.dashboards
    alter column date type timestamptz using date::timestamp at time zone 'UTC';
alter table waybill.dashboards rename column date to since;

create or replace view waybill.mv_daily_shipment_analytics as
    select f.date,
        f.carrier,
        f.service,
        sum(f.shipments)::bigint as shipment_count,
        case when count(distinct f.currency) filter (where f.costed > 0)
            <= 1
            then case when sum(f.costed) > 0 then sum(f.cost) end
            end as total_cost,
        case when count(distinct f.currency) filter (where f.costed > 0)
            <= 1
            then round(sum(f.cost) / nullif(sum(f.costed), 0), 4)
            end as avg_cost,
        case when count(distinct f.currency) filter (where f.costed > 0)
            <= 1
            then min(nullif(f.currency, '')) filter (where f.costed > 0)
            end as currency,
        sum(f.costed)::bigint as cost_sample,
        sum(f.purchased)::bigint as purchased_count,
        sum(f.delivered)::bigint as delivered_count,
        sum(f.in_transit)::bigint as in_transit_count,
        sum(f.failed)::bigint as failed_count,
        sum(f.cancelled)::bigint as cancelled_count,
        round(sum(f.seconds) / 86400.0
            / nullif(sum(f.shipments) filter (where f.days > 0), 0), 3)
            as avg_delivery_days,
        coalesce(sum(f.shipments) filter (where f.days > 0), 0)::bigint
            as delivery_days_sample,
        round(100.0 * sum(f.on_time) / nullif(sum(f.promised), 0), 2)
            as on_time_rate,
        sum(f.promised)::bigint as on_time_sample
    from waybill.daily_figures f
    where f.mode = (select waybill.analytics_mode())
        and f.date >= (now() at time zone 'UTC')::date - 89
    group by f.date, f.carrier, f.service;
create or replace view waybill.mv_carrier_performance as
    select f.carrier,
        f.service,
        sum(f.shipments)::bigint as total_shipments,
        case when count(distinct f.currency) filter (where f.costed > 0)
            <= 1
            then case when sum(f.costed) > 0 then sum(f.cost) end
            end as total_revenue,
        case when count(distinct f.currency) filter (where f.costed > 0)
            <= 1
            then case when sum(f.costed) > 0 then sum(f.cost) end
            end as total_cost,
        case when count(distinct f.currency) filter (where f.costed > 0)
            <= 1
            then round(sum(f.cost) / nullif(sum(f.costed), 0), 4)
            end as avg_cost,
        case when count(distinct f.currency) filter (where f.costed > 0)
            <= 1
            then min(nullif(f.currency, '')) filter (where f.costed > 0)
            end as currency,
        sum(f.costed)::bigint as cost_sample,
        sum(f.delivered)::bigint as delivered_count,
        (sum(f.delivered) + sum(f.failed))::bigint as completed_count,
        sum(f.failed)::bigint as failed_count,
        round(100.0 * sum(f.on_time) / nullif(sum(f.promised), 0), 2)
            as on_time_rate,
        sum(f.promised)::bigint as on_time_sample,
        round(sum(f.seconds) / 86400.0
            / nullif(sum(f.shipments) filter (where f.days > 0), 0), 3)
            as avg_delivery_days,
        coalesce(sum(f.shipments) filter (where f.days > 0), 0)::bigint
            as delivery_days_sample
    from waybill.daily_figures f
    where f.mode = (select waybill.analytics_mode())
        and f.date >= (now() at time zone 'UTC')::date - 89
        and f.carrier <> ''
    group by f.carrier, f.service;
create or replace view waybill.mv_top_routes as
    select f.from_city,
        f.from_state,
        f.from_country,
        f.to_city,
        f.to_state,
        f.to_country,
        sum(f.shipments)::bigint as shipment_count,
        case when count(distinct f.currency) filter (where f.costed > 0)
            <= 1
            then case when sum(f.costed) > 0 then sum(f.cost) end
            end as total_cost,
        case when count(distinct f.currency) filter (where f.costed > 0)
            <= 1
            then round(sum(f.cost) / nullif(sum(f.costed), 0), 4)
            end as avg_cost,
        case when count(distinct f.currency) filter (where f.costed > 0)
            <= 1
            then min(nullif(f.currency, '')) filter (where f.costed > 0)
            end as currency,
        sum(f.costed)::bigint as cost_sample,
        round(sum(f.seconds) / 86400.0 / nullif(sum(f.delivered), 0), 3)
            as avg_delivery_days,
        sum(f.delivered)::bigint as delivery_days_sample
    from (
        select f.from_city, f.from_state, f.from_country, f.to_city,
            f.to_state, f.to_country, f.currency,
            sum(f.shipments) as shipments, sum(f.cost) as cost,
            sum(f.costed) as costed, sum(f.delivered) as delivered,
            sum(f.seconds) as seconds
        from waybill.route_figures f
        where f.mode = (select waybill.analytics_mode())
        group by f.from_city, f.from_state, f.from_country, f.to_city,
            f.to_state, f.to_country, f.currency
        having sum(f.shipments) > 0) f
    group by f.from_city, f.from_state, f.from_country, f.to_city,
        f.to_state, f.to_country
    having sum(f.shipments) >= 3;
create view waybill.shipment_metrics as
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
comment on view waybill.shipment_metrics is
    'One row a shipment, always current; times in seconds';
comment on column waybill.shipment_metrics.purchase_to_label_time is
    'Null: EasyPost makes the label with the purchase';
comment on column waybill.shipment_metrics.fuel_surcharge is
    'Null: EasyPost does not tell it apart from the rate';
comment on column waybill.shipment_metrics.distance_km is
    'Null: there are no coordinates to measure from';
comment on column waybill.shipment_metrics.delivery_attempts is
    'How often it went out for delivery, as far as its carrier tells';
comment on column waybill.shipment_metrics.weight_kg is
    'EasyPost''s ounces: one has 0.028349523125 kg';
comment on column waybill.system_metrics.active_connections is
    'Requests under way on this host';
comment on column waybill.system_metrics.db_pool_size is
    'Workers always there on this host, one connection each';
comment on column waybill.system_metrics.db_query_count is
    'Transactions of this database in the minute: a call of Waybill is one';
comment on column waybill.system_metrics.db_slow_queries is
    'Requests of the minute, of all hosts, that waited a second for the database';
comment on column waybill.mv_daily_shipment_analytics.currency is
    'Null: no cost, costs in several (then these are null, too; carrier_performance
has them apart), or EasyPost did not say';
comment on column waybill.mv_carrier_performance.currency is
    'Null: no cost, costs in several (then these are null, too; carrier_performance
has them apart), or EasyPost did not say';
comment on column waybill.mv_top_routes.currency is
    'Null: no cost, costs in several (then these are null, too), or EasyPost did
not say';
comment on column waybill.shipment_metrics.was_on_time is
    'By the day where it arrives; null when that depends on a zone nobody knows, as
delivery_delay_days';

revoke all on function
    waybill.time_zones(),
    waybill.zones_of(text, text),
    waybill.days_after(timestamptz, timestamptz, boolean, text),
    waybill.is_on_time(timestamptz, timestamptz, boolean, text, text)
from public;
grant execute on function
    waybill.time_zones(),
    waybill.zones_of(text, text),
    waybill.days_after(timestamptz, timestamptz, boolean, text),
    waybill.is_on_time(timestamptz, timestamptz, boolean, text, text)
to waybill_reader;
grant select on waybill.shipment_metrics to waybill_reader;
