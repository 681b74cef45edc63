-- What became of the items of a bulk call.  Those in doubt were processed, and
-- did not succeed as far as anybody knows.
create function api.end_bulk(p_batch_id text, p_items json)
returns void
language plpgsql
security definer
set search_path = waybill, pg_temp
as $$
begin
    update waybill.batch_operations b
    set (status, processed_items, successful_items, failed_items, errors) = (
            select case when count(*) filter (where i.status = 'success') > 0
                    then 'completed' else 'failed' end,
                count(*) filter (where i.status <> 'not_sent'),
                count(*) filter (where i.status = 'success'),
                count(*) filter (where i.status in ('failed', 'in_doubt')),
                jsonb_agg(jsonb_build_object('index', i.place - 1,
                    'status', i.status, 'message', i.message) order by i.place)
                    filter (where i.status <> 'success')
            from (
                select e.place,
                    e.item ->> 'batch_status' as status,
                    e.item ->> 'batch_message' as message
                from json_array_elements(p_items) with ordinality
                    as e (item, place)) i),
        items = p_items,
        completed_at = now(),
        updated_at = now()
    where b.batch_id = p_batch_id;
end
$$;
revoke all on function api.end_bulk(text, json) from public;
grant execute on function api.end_bulk(text, json) to waybill_worker;
