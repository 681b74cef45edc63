-- The key of a received webhook by its evt_ id; null when it never came.
create function api.find_event(p_easypost_id text)
returns uuid
language sql
stable
security definer
set search_path = waybill, pg_temp
begin atomic
    select e.id
    from waybill.webhook_event_ids e
    where e.easypost_id = p_easypost_id;
end;
revoke all on function api.find_event(text) from public;
grant execute on function api.find_event(text) to waybill_worker;
