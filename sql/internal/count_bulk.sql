-- Counts what has become of the items of a bulk call; when nothing is left to do it
-- ends.  Those in doubt were processed, and did not succeed as far as anybody knows.
create or replace function waybill.count_bulk(p_batch_id text)
returns void
language sql
volatile
as $$
    update waybill.batch_operations b
    set (processed_items, successful_items, failed_items, completed_at,
            wait_until, status, errors, updated_at) = (
        select c.processed, c.success, c.failed,
            case when c.open = 0
                then coalesce(b.completed_at, now()) end,
            case when c.open > 0 then b.wait_until end,
            case when c.open > 0 or b.status = 'cancelled' then b.status
                when c.success > 0 then 'completed'
                else 'failed' end,
            case when c.open = 0 then (
                select jsonb_agg(jsonb_build_object('index', f.index,
                    'status', f.state, 'message', f.error ->> 'message')
                    order by f.index)
                from (
                    select i.index, i.state, i.error
                    from waybill.bulk_items i
                    where i.batch_id = b.batch_id
                        and i.state <> 'success'
                    order by i.id desc
                    limit 100) f) end,
            now()
        from (
            select count(*) filter (where i.state
                    in ('success', 'failed', 'in_doubt')) as processed,
                count(*) filter (where i.state = 'success') as success,
                count(*) filter (where i.state
                    in ('failed', 'in_doubt')) as failed,
                count(*) filter (where i.state in ('pending', 'sending')
                    or (i.state = 'in_doubt' and i.looked_at is null))
                    as open
            from waybill.bulk_items i
            where i.batch_id = b.batch_id) c)
    where b.batch_id = p_batch_id
$$;
revoke all on function waybill.count_bulk(text) from public;
