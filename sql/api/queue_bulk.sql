-- Takes a bulk call over: its items will be worked off.  p_id is the call's own, so
-- that it is taken once, however often it is asked for with it; p_claim is the claim
-- of its Idempotency-Key, which is done with it.  answer: what the client is told.
create function api.queue_bulk(
    p_id uuid, p_claim uuid, p_shipments json, p_mode text, p_caller text,
    p_request_id text, out batch_id text, out answer text)
language plpgsql
security definer
set search_path = waybill, pg_temp
as $$
declare
    v_total integer := json_array_length(p_shipments);
begin
    batch_id := 'bulk_' || replace(p_id::text, '-', '');
    answer := format(
        '{"operation_id":"%s","status":"processing","total":%s}', batch_id,
        v_total);
    insert into waybill.batch_operations (id, batch_id, operation_type,
        started_at, status, total_items, user_id, source, mode, parameters,
        wait_until)
    values (p_id, queue_bulk.batch_id, 'bulk_shipments', now(), 'processing',
        v_total, p_caller, 'waybill', p_mode,
        jsonb_build_object('request_id', p_request_id), now())
    on conflict do nothing;
    if not found then
        return;
    end if;
    insert into waybill.bulk_items (id, batch_id, index, request, buys,
        reference)
    select waybill.bulk_item_id(p_id, e.place::integer - 1),
        queue_bulk.batch_id, e.place - 1, e.item,
        e.item ->> 'service' is not null,
        nullif(e.item ->> 'reference', '')
    from json_array_elements(p_shipments) with ordinality as e (item, place);
    if p_claim is not null then
        update waybill.idempotency_claims c
        set state = 'done', status_code = 202,
            response = convert_to(queue_bulk.answer, 'UTF8'),
            finished_at = now()
        where c.id = p_claim
            and c.state = 'running';
        if not found then
            raise sqlstate 'PT409' using message =
                'Another request with this Idempotency-Key has gone on in '
                'place of this one.';
        end if;
    end if;
end
$$;
revoke all on function api.queue_bulk(
    uuid, uuid, json, text, text, text) from public;
grant execute on function api.queue_bulk(
    uuid, uuid, json, text, text, text) to waybill_worker;
