-- Ends the pages that admin.begin_ledger began: complete are the days of which all
-- that EasyPost lists is here.  p_error: why the list was not read to its end;
-- then nothing is complete.  One row: the sums.
create function admin.end_ledger(
    p_mode text, p_object text, p_since date, p_error text)
returns table (days bigint, listed bigint, repaired bigint, changed bigint,
    missing bigint)
language sql
volatile
security definer
set search_path = waybill, pg_temp
begin atomic
    with ended as (
        update waybill.reconciliation_ledger l
        set database_count =
                waybill.count_objects(l.object, l.mode, l.day),
            is_complete = p_error is null and l.missing_ids = '{}',
            error = coalesce(p_error, case when l.missing_ids <> '{}'
                then 'some objects could not be recorded' end),
            checked_at = now()
        where l.mode = p_mode
            and l.object = p_object
            and l.day >= p_since
        returning l.easypost_count, l.repaired, l.changed, l.missing_ids)
    select count(*), sum(e.easypost_count)::bigint, sum(e.repaired)::bigint,
        sum(e.changed)::bigint, sum(cardinality(e.missing_ids))::bigint
    from ended e;
end;
revoke all on function admin.end_ledger(text, text, date, text) from public;
grant execute on function admin.end_ledger(text, text, date, text)
to waybill_jobs;
