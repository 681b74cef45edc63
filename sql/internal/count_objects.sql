-- How many of EasyPost's objects of a day (UTC) are here.  Ids of trackers and
-- events begin with their time: no index more is needed.
create or replace function waybill.count_objects(
    p_object text, p_mode text, p_day date)
returns bigint
language plpgsql
stable
as $$
declare
    v_from constant timestamptz := p_day::timestamp at time zone 'UTC';
    v_to constant timestamptz := (p_day + 1)::timestamp at time zone 'UTC';
begin
    return case p_object
        when 'shipment' then (
            select count(*) from waybill.shipments t
            where t.created_at >= v_from and t.created_at < v_to
                and t.mode = p_mode and t.doc_updated_at > '-infinity')
        when 'tracker' then (
            select count(*) from waybill.trackers t
            where t.id >= waybill.uuid_first(v_from)
                and t.id < waybill.uuid_first(v_to)
                and t.mode = p_mode)
        when 'address' then (
            select count(*) from waybill.addresses t
            where t.created_at >= v_from and t.created_at < v_to
                and t.mode = p_mode and t.doc_updated_at > '-infinity')
        when 'refund' then (
            select count(*) from waybill.refunds t
            where t.created_at >= v_from and t.created_at < v_to
                and t.mode = p_mode)
        when 'event' then (
            select count(*) from waybill.webhook_events t
            where t.id >= waybill.uuid_first(v_from)
                and t.id < waybill.uuid_first(v_to)
                and t.mode = p_mode) end;
end
$$;
revoke all on function waybill.count_objects(text, text, date) from public;
