-- Before the first sum is repaired: waits for the merge that is going on and lets none
-- begin until the transaction ends.  A merge that waited for a repaired sum, while
-- the repair waits for the lock of merging, would wait in a circle.
create or replace function waybill.hold_merges()
returns boolean
language plpgsql
as $$
begin
    perform pg_advisory_xact_lock(hashtextextended('waybill.merge', 0));
    return true;
end
$$;
revoke all on function waybill.hold_merges() from public;
