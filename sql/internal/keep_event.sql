-- Keeps an event under its evt_ id, as one that is applied: false when that id was
-- here before.  p_raw: the bytes of what is no JSON to PostgreSQL, else null.
create or replace function waybill.keep_event(
    p_id uuid, p_key text, p_doc jsonb, p_body text, p_raw bytea,
    p_request_id text)
returns boolean
language plpgsql
as $$
begin
    with fresh as (
        insert into waybill.webhook_event_ids (easypost_id, id)
        values (p_key, p_id)
        on conflict do nothing
        returning id)
    insert into waybill.webhook_events (id, easypost_id, description, mode,
        user_id, object, object_id, payload, raw, state, request_id,
        occurred_at)
    select f.id, p_key, left(p_doc ->> 'description', 200), p_doc ->> 'mode',
        p_doc ->> 'user_id', p_doc -> 'result' ->> 'object',
        waybill.to_key(p_doc -> 'result' ->> 'id'),
        case when p_raw is null then p_body::json end,
        p_raw, 'applied', p_request_id,
        waybill.to_time(p_doc ->> 'created_at')
    from fresh f;
    return found;
end
$$;
revoke all on function waybill.keep_event(
    uuid, text, jsonb, text, bytea, text)
from public;
