-- The newest document that EasyPost gave of an object, as an answer or in an event,
-- and when it came.
create function api.known_document(p_id text, p_mode text)
returns table (document json, as_of timestamptz, age_seconds bigint)
language sql
stable
security definer
set search_path = waybill, pg_temp
begin atomic
    select k.document,
        k.received_at,
        greatest(date_part('epoch', now() - k.received_at), 0)::bigint
    from (
        select d.body as document, d.received_at
        from waybill.documents d
        where d.easypost_id = p_id
            and d.mode = p_mode
            and d.object is not null
            and d.body is not null
        union all
        select e.payload -> 'result', e.received_at
        from waybill.webhook_events e
        where e.object_id = p_id
            and e.mode = p_mode
            and e.payload is not null) k
    order by waybill.to_time(k.document ->> 'updated_at') desc nulls last,
        k.received_at desc
    limit 1;
end;
revoke all on function api.known_document(text, text) from public;
grant execute on function api.known_document(text, text) to waybill_worker;
