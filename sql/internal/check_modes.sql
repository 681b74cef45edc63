-- Compares how many shipments each mode is counted with, which says whether there are
-- any but test ones, with its days, and repairs it.  Gives how many were wrong.
create or replace function waybill.check_modes()
returns bigint
language plpgsql
as $$
declare
    v_wrong bigint;
begin
    if not exists (select from waybill.wrong_modes()) then
        return 0;
    end if;
    perform waybill.hold_merges();
    update waybill.analytics_state a
    set shipments = w.shipments
    from waybill.wrong_modes() w
    where w.mode = a.mode;
    get diagnostics v_wrong = row_count;
    return v_wrong;
end
$$;
revoke all on function waybill.check_modes() from public;
