-- What has not been sent of a bulk call will not be; p_reason: of bulk_error().
create or replace function waybill.stop_bulk(p_batch_id text, p_reason text)
returns bigint
language sql
volatile
as $$
    with stopped as (
        update waybill.bulk_items i
        set state = 'not_sent',
            error = waybill.bulk_error(p_reason),
            finished_at = now()
        where i.batch_id = p_batch_id
            and i.state = 'pending'
        returning 1),
    ended as (
        update waybill.batch_operations b
        set status = 'cancelled',
            updated_at = now()
        where b.batch_id = p_batch_id)
    select count(*)
    from stopped
$$;
revoke all on function waybill.stop_bulk(text, text) from public;
