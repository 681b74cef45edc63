-- A thing has been bought, and EasyPost's document of it tells what it cost; what it
-- does not tell was the price.
create function api.settle_spending(p_thing text, p_document bytea)
returns void
language plpgsql
security definer
set search_path = waybill, pg_temp
as $$
declare
    v_read record := waybill.read_json(p_document);
begin
    update waybill.spendings s
    set amount = coalesce(waybill.paid_fees(p_thing, v_read.doc), s.amount),
        settled_at = now()
    where s.thing = p_thing
        and s.settled_at is null;
end
$$;
revoke all on function api.settle_spending(text, bytea) from public;
grant execute on function api.settle_spending(text, bytea) to waybill_worker;
