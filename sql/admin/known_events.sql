-- Those of the events of a list of EasyPost's that have been received.
create function admin.known_events(p_body bytea)
returns table (easypost_id text)
language sql
stable
security definer
set search_path = waybill, pg_temp
begin atomic
    select k.easypost_id
    from waybill.known_objects('event', array(
        select e.value::json ->> 'id'
        from waybill.list_elements(convert_from(p_body, 'UTF8')::json)
            as e (value))) k;
end;
revoke all on function admin.known_events(bytea) from public;
grant execute on function admin.known_events(bytea) to waybill_jobs;
