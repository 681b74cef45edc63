-- Shipments number :first to :last of :rows, made from the words of prepare.sql
-- and written as recording would write them: the same columns, the same shape
-- of every json.  Several ranges may be filled at once.
-- Variables: first, last, rows, since, until, documents, events (shares), lean
-- (no rates; of a journey the last two scans, as events only), bare (shipments and
-- nothing beside them).

\set ON_ERROR_STOP on
begin;
set local search_path = seeding, waybill;
set local session_replication_role = replica;
set local synchronous_commit = off;
set local timezone = 'UTC';
set local jit = off;
set local work_mem = '128MB';
set local default_toast_compression = lz4;

-- What is decided about each.
create temp table rolled on commit drop as
select r.i, r.created_at, stamp(r.created_at) as created,
    case when chance(r.i, 1) < 0.95 then 'production' else 'test' end as mode,
    c as customer, r.shop, t.zone, l.carrier, l.service, f.outcome,
    o.place as rate_place, o.price, o.days, o.is_guaranteed, p.weight,
    p.length, p.width, p.height,
    case when l.is_regional then q.regional else q.national end as rates,
    case when f.outcome <> 'unbought' then pick(r.i, 8, 3) end as hubs,
    (o.days * 24 + case when f.is_late then 24 + 48 * chance(r.i, 9)
        else 6 - 16 * chance(r.i, 9) end
        + case f.outcome when 'return_to_sender' then 96 else 0 end)
        * interval '1 hour' as way,
    'shp_' || hex(r.i, 100) as key,
    'adr_' || hex(r.i, 101) as from_key,
    'adr_' || hex(r.i, 102) as to_key,
    'prcl_' || hex(r.i, 103) as parcel_key,
    case when f.outcome <> 'unbought' then 'trk_' || hex(r.i, 104)
        end as tracker_key,
    case when f.outcome = 'unbought' then null
        when l.carrier = 'USPS' then '94001' || lpad(
            (dice(r.i, 10) % 100000000)::text || lpad((r.i % 1000000000)::text,
            9, '0'), 17, '1')
        when l.carrier = 'UPS' then '1Z8A4W39'
            || lpad((r.i * 48271 % 10000000000)::text, 10, '0')
        when l.carrier = 'FedEx' then '7'
            || lpad((r.i * 48271 % 100000000000)::text, 11, '0')
        when l.carrier = 'OnTrac' then 'C'
            || lpad((r.i * 48271 % 100000000000)::text, 14, '0')
        else 'GM' || lpad((r.i * 48271 % 100000000000)::text, 18, '6')
        end as code,
    case when chance(r.i, 11) < 0.8
        then 'order-' || 100000 + r.i end as reference,
    case when r.i % 700 < 21 and f.outcome <> 'unbought'
        then 'batch_' || hex(r.i / 700, 105) end as batch_id,
    case when chance(r.i, 12) < 0.05 then 100.0 end as insurance,
    t.first_scan, t.first_scan_country, t.second_scan, t.second_scan_country
from (
    select i, pick(i, 2, z.shops) as shop,
        floor(chance(i, 3) * chance(i, 4) * z.customers)::integer as customer,
        pick(i, 5, z.boxes) as parcel,
        pick(i, 6, z.labels) as label,
        pick(i, 7, z.fates) as fate,
        date_trunc('second', :'until'::timestamptz
            - (:rows - i + chance(i, 13)) / :rows::double precision
            * (:'until'::timestamptz - :'since'::timestamptz)) as created_at
    from generate_series(:first::bigint, :last::bigint) i
    cross join sizes z) r
join customers c on c.n = r.customer
join routes t on t.shop = r.shop and t.city = c.city
join boxes p on p.n = r.parcel
join labels l on l.n = r.label
join fates f on f.n = r.fate
join ratings q on q.zone = t.zone and q.parcel = r.parcel
join offers o on o.zone = t.zone and o.parcel = r.parcel
    and o.carrier = l.carrier and o.service = l.service;

-- Its journey so far.
create temp table scanned on commit drop as
select r.i, s.nth, e.at, s.status, s.status_detail, s.message, s.code,
    r.carrier as source,
    case when s.place <> 'none' then e.scan::jsonb - 'object' end as place,
    format(s.detail, stamp(e.at), e.scan) as detail
from rolled r
join (
    select t.*, lead(t.share, 2) over (partition by t.carrier, t.outcome, t.hubs
        order by t.nth) as share_after_next
    from steps t) s on s.carrier = r.carrier and s.outcome = r.outcome
    and s.hubs = r.hubs
join shops f on f.n = r.shop
join cities t on t.n = (r.customer).city
cross join lateral (
    select date_trunc('second', r.created_at + s.share * r.way),
        case s.place
            when 'from' then case when r.carrier = 'USPS'
                then f.scan else f.scan_country end
            when 'to' then case when r.carrier = 'USPS'
                then t.scan else t.scan_country end
            when 'first' then case when r.carrier = 'USPS'
                then r.first_scan else r.first_scan_country end
            when 'second' then case when r.carrier = 'USPS'
                then r.second_scan else r.second_scan_country end
            else '{"object": "TrackingLocation"}' end) as e (at, scan)
where e.at <= :'until'::timestamptz
    and (not :'lean'::boolean or s.share_after_next is null
        or r.created_at + s.share_after_next * r.way > :'until'::timestamptz);

create temp table made on commit drop as
select r.*, easypost_uuid(r.created_at, r.key) as id,
    easypost_uuid(r.created_at, r.from_key) as from_id,
    easypost_uuid(r.created_at, r.to_key) as to_id,
    easypost_uuid(r.created_at, r.parcel_key) as parcel_id,
    case when r.tracker_key is not null then easypost_uuid(
        date_trunc('day', r.created_at), r.tracker_key) end as tracker_id,
    r.outcome <> 'unbought' as is_bought,
    coalesce(j.status, 'unknown') as status,
    coalesce(j.status_detail, 'unknown') as status_detail,
    coalesce(j.updated_at, r.created_at) as updated_at,
    case when not :'lean'::boolean then j.details end as details, j.steps,
    case when j.status = 'delivered' then j.updated_at end as delivered_at,
    date_trunc('day', r.created_at) + (r.days + 2) * interval '1 day'
        as arrival,
    case when j.status = 'delivered' and r.carrier <> 'USPS'
        and chance(r.i, 14) < 0.4
        then upper(split_part((r.customer).name, ' ', 2)) end as signed_by,
    case when r.is_guaranteed then date_trunc('day', r.created_at)
        + r.days * interval '1 day' + interval '23 hours' end as promise,
    case when :'lean'::boolean then '[]' else format(r.rates,
        variadic array[r.key, r.created] || p.stamps
        || array(select hex(r.i, n) from generate_series(201, 215) n)) end
        as rates_text,
    'https://track.easypost.com/' || rtrim(encode(convert_to(
        'v1:' || r.tracker_key, 'UTF8'), 'base64'), '=') as public_url,
    'https://easypost-files.s3.us-west-2.amazonaws.com/files/postage_label/'
        || to_char(r.created_at, 'YYYYMMDD/') || hex(r.i, 106) || '.png'
        as label_url
from rolled r
join promises p on p.day = date_trunc('day', r.created_at)
left join (
    select s.i, max(s.at) as updated_at, count(*) as steps,
        '[' || string_agg(s.detail, ', ' order by s.nth) || ']' as details,
        (array_agg(s.status order by s.nth desc))[1] as status,
        (array_agg(s.status_detail order by s.nth desc))[1] as status_detail
    from scanned s
    group by s.i) j on j.i = r.i;

create temp table lived on commit drop as
select a.*
from (
    select m.i, m.from_id as id, m.from_key as key, m.created_at, m.mode,
        s.name, s.name as company,
        100 + m.shop || ' Warehouse Row' as street1, null as street2, s.city,
        s.state, s.zip, '5105550117' as phone,
        'shipping@' || split_part(lower(s.name), ' ', 1) || '.example' as email,
        null::boolean as is_residential, true as is_sender
    from made m
    join shops s on s.n = m.shop
    union all
    select m.i, m.to_id, m.to_key, m.created_at, m.mode, (m.customer).name,
        (m.customer).company, (m.customer).street1, (m.customer).street2,
        c.city, c.state, c.zip, (m.customer).phone, (m.customer).email,
        (m.customer).is_residential, false
    from made m
    join cities c on c.n = (m.customer).city) a;

\if :bare
\else
insert into waybill.addresses (id, easypost_id, created_at, updated_at, name,
    company, street1, street2, city, state, zip, country, phone, email,
    verifications, is_residential, mode, doc_updated_at, doc_richness,
    doc_digest, recorded_at)
select a.id, a.key, a.created_at, a.created_at, a.name, a.company, a.street1,
    a.street2, a.city, a.state, a.zip, 'US', a.phone, a.email, '{}',
    a.is_residential, a.mode, a.created_at, 470, dice(a.i, 20), a.created_at
from lived a;

insert into waybill.parcels (id, easypost_id, created_at, updated_at, length,
    width, height, weight, mode, doc_updated_at, doc_richness, doc_digest,
    recorded_at)
select m.parcel_id, m.parcel_key, m.created_at, m.created_at, m.length,
    m.width, m.height, m.weight, m.mode, m.created_at, 255, dice(m.i, 21),
    m.created_at
from made m;
\endif

create temp table shown on commit drop as
select a.i, a.is_sender, json_build_object('id', a.id, 'easypost_id', a.key,
    'name', a.name, 'company', a.company, 'street1', a.street1,
    'street2', a.street2, 'city', a.city, 'state', a.state, 'zip', a.zip,
    'country', 'US', 'phone', a.phone, 'email', a.email,
    'is_residential', a.is_residential) as address
from lived a;

insert into waybill.shipments (id, easypost_id, tracking_code, status,
    created_at, updated_at, mode, reference, doc_reference,
    from_address_id, to_address_id,
    return_address_id, buyer_address_id, parcel_id, selected_rate_id,
    rates_data, base_cost, fees, total_cost, insurance, currency, carrier,
    service,
    delivery_days, delivery_date, tracking_details, signed_by, weight,
    est_delivery_date, is_return, batch_id, batch_status, refund_status,
    label_url, tracker_id, purchased_at, promised_at, delivered_at,
    from_address, to_address, parcel, doc_status, doc_tracking_code,
    doc_carrier, doc_refund_status, doc_batch_id, doc_batch_status,
    doc_updated_at, doc_richness, doc_digest, recorded_at)
select m.id, m.key, m.code, m.status, m.created_at, m.updated_at, m.mode,
    m.reference, m.reference, m.from_id, m.to_id, m.from_id, m.to_id,
    m.parcel_id,
    b.rate_id, m.rates_text::json, b.price, jsonb_build_array(
        jsonb_build_object('type', 'LabelFee', 'amount', 0.01,
            'refunded', false),
        jsonb_build_object('type', 'PostageFee', 'amount', b.price,
            'refunded', b.refund_status is not null)),
    case when b.refund_status is null then b.price else 0 end + 0.01,
    m.insurance,
    'USD', b.carrier, b.service, b.days, b.promise, m.details::json,
    m.signed_by, m.weight, case when m.details is not null then m.arrival end,
    false, m.batch_id, b.batch_status, b.refund_status, b.label_url,
    m.tracker_id, b.purchased_at, coalesce(b.promise,
        b.purchased_at + b.days * interval '1 day'), m.delivered_at,
    f.address, t.address,
    json_build_object('id', m.parcel_id, 'easypost_id', m.parcel_key,
        'length', m.length, 'width', m.width, 'height', m.height,
        'weight', m.weight, 'predefined_package', null),
    'unknown', m.code, b.carrier, b.refund_status, m.batch_id, b.batch_status,
    m.created_at, 100005000 + length(m.rates_text), dice(m.i, 22), m.updated_at
from made m
join shown f on f.i = m.i and f.is_sender
join shown t on t.i = m.i and not t.is_sender
left join lateral (
    select 'rate_' || hex(m.i, 200 + m.rate_place) as rate_id, m.price,
        m.carrier, m.service, m.days, m.promise, m.label_url,
        m.created_at as purchased_at,
        case when m.batch_id is not null then 'postage_purchased'
            end as batch_status,
        case when m.outcome = 'cancelled' then 'refunded' end as refund_status
    where m.is_bought) b on true;

\if :bare
\else
insert into waybill.trackers (id, easypost_id, created_at, updated_at,
    tracking_code, carrier, status, status_detail, mode, shipment_easypost_id,
    shipment_id, signed_by, weight, est_delivery_date, delivered_at, is_return,
    finalized, public_url, carrier_detail, tracking_details, doc_updated_at,
    doc_richness, doc_digest, recorded_at)
select m.tracker_id, m.tracker_key, m.created_at, m.updated_at, m.code,
    m.carrier, m.status, m.status_detail, m.mode, m.key, m.id, m.signed_by,
    case when m.carrier <> 'USPS' and m.details is not null then m.weight end,
    case when m.details is not null then m.arrival end, m.delivered_at, false,
    m.status in ('delivered', 'failure', 'return_to_sender', 'cancelled'),
    m.public_url,
    case when m.details is not null then jsonb_build_object(
        'object', 'CarrierDetail', 'service', m.service, 'container_type', null,
        'origin_location', format('%s %s, %s', upper(f.city), f.state, f.zip),
        'alternate_identifier', null, 'destination_location',
        format('%s %s, %s', upper(t.city), t.state, t.zip),
        'est_delivery_date_local', null, 'est_delivery_time_local', null,
        'guaranteed_delivery_date', null,
        'initial_delivery_attempt', stamp(m.delivered_at),
        'origin_tracking_location', f.scan_country::jsonb,
        'destination_tracking_location', t.scan_country::jsonb) end,
    m.details::json, m.updated_at,
    coalesce(m.steps, 0)::integer * 10000000 + 2000, dice(m.i, 23), m.updated_at
from made m
join shops f on f.n = m.shop
join cities t on t.n = (m.customer).city
where m.tracker_id is not null;

insert into waybill.shipment_events (id, tracker_id, shipment_id, created_at,
    status, status_detail, message, description, source, carrier_status,
    tracking_location, event_datetime, recorded_at)
select easypost_uuid(s.at, m.tracker_id::text || s.detail), m.tracker_id, m.id,
    s.at, s.status, s.status_detail, s.message, '', s.source, s.code, s.place,
    s.at, s.at
from scanned s
join made m on m.i = s.i
order by m.tracker_id, s.nth;

create temp table written on commit drop as
select m.i, format('{"id":"%s","object":"Tracker","mode":"%s",'
        || '"tracking_code":"%s","status":"%s","status_detail":"%s",'
        || '"created_at":"%s","updated_at":"%s","signed_by":null,'
        || '"weight":null,"est_delivery_date":"%s","shipment_id":"%s",'
        || '"carrier":"%s","tracking_details":%s,"carrier_detail":null,'
        || '"finalized":true,"is_return":false,"public_url":"%s","fees":[]}',
    m.tracker_key, m.mode, m.code, m.status, m.status_detail, m.created,
    stamp(m.updated_at), stamp(m.arrival), m.key, m.carrier, m.details,
    m.public_url) as tracker
from made m
where m.details is not null;

-- Each shipment's last event; of most only the id is left.
insert into waybill.webhook_event_ids (easypost_id, id)
select e.key, easypost_uuid(m.updated_at, e.key)
from made m
cross join lateral (select 'evt_' || hex(m.i, 107)) as e (key)
where m.details is not null;

insert into waybill.webhook_events (id, easypost_id, description, mode, user_id,
    object, object_id, payload, state, request_id, occurred_at, received_at)
select easypost_uuid(m.updated_at, e.key), e.key, 'tracker.updated', m.mode,
    'user_' || hex(0, 108), 'Tracker', m.tracker_key,
    format('{"description":"tracker.updated","mode":"%s",'
        || '"previous_attributes":{"status":"in_transit"},"created_at":"%s",'
        || '"pending_urls":[],"completed_urls":[],"updated_at":"%s","id":"%s",'
        || '"user_id":"user_%s","status":"pending","object":"Event",'
        || '"result":%s}', m.mode, stamp(m.updated_at), stamp(m.updated_at),
        e.key, hex(0, 108), w.tracker)::json,
    'applied', hex(m.i, 109), m.updated_at, m.updated_at
from made m
join written w on w.i = m.i
cross join lateral (select 'evt_' || hex(m.i, 107)) as e (key)
where chance(m.i, 15) < :events;

insert into waybill.documents (digest, object, easypost_id, mode, body, method,
    path, query, status, request_id, received_at)
select sha256(convert_to(d.body, 'UTF8')), 'Shipment', m.key, m.mode,
    d.body::json, 'POST', '/v2/shipments/' || m.key || '/buy', '', 200,
    hex(m.i, 110), m.created_at
from made m
join written w on w.i = m.i
join shown f on f.i = m.i and f.is_sender
join shown t on t.i = m.i and not t.is_sender
cross join lateral (
    select format('{"id":"%s","created_at":"%s","is_return":false,'
        || '"messages":[],"mode":"%s","options":{"currency":"USD",'
        || '"payment":{"type":"SENDER"},"date_advance":0},"reference":"%s",'
        || '"status":"unknown","tracking_code":"%s","updated_at":"%s",'
        || '"batch_id":null,"customs_info":null,"from_address":%s,'
        || '"to_address":%s,"rates":%s,"tracker":%s,"object":"Shipment"}',
        m.key, m.created, m.mode, m.reference, m.code, m.created, f.address,
        t.address, m.rates_text, w.tracker)) as d (body)
where chance(m.i, 16) < :documents;
\endif
commit;
