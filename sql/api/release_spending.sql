-- What the attempt p_id was about to buy was not bought.
create function api.release_spending(p_id uuid)
returns void
language sql
security definer
set search_path = waybill, pg_temp
begin atomic
    delete from waybill.spendings s
    where s.id = p_id
        and s.settled_at is null;
end;
revoke all on function api.release_spending(uuid) from public;
grant execute on function api.release_spending(uuid) to waybill_worker;
