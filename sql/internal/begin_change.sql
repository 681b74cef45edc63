-- Says who makes the changes of this transaction, for the audit log.
create or replace function waybill.begin_change(
    p_actor text, p_request_id text)
returns void
language plpgsql
as $$
begin
    perform set_config('waybill.actor', p_actor, true),
        set_config('waybill.request_id', p_request_id, true);
end
$$;
revoke all on function waybill.begin_change(text, text) from public;
