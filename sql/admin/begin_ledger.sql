-- Begins the pages of the ledger for the days from p_since to today (UTC): until
-- admin.end_ledger nothing of them is complete.
create function admin.begin_ledger(p_mode text, p_object text, p_since date)
returns void
language sql
volatile
security definer
set search_path = waybill, pg_temp
begin atomic
    insert into waybill.reconciliation_ledger as l (day, object, mode,
        easypost_count)
    select d.day::date, p_object, p_mode, 0
    from generate_series(p_since::timestamp,
        (now() at time zone 'UTC')::date, interval '1 day') as d (day)
    on conflict (day, object, mode) do update
    set easypost_count = 0,
        database_count = null,
        missing_ids = '{}',
        repaired = 0,
        changed = 0,
        is_complete = false,
        error = null,
        last_page = null,
        started_at = now(),
        checked_at = null;
end;
revoke all on function admin.begin_ledger(text, text, date) from public;
grant execute on function admin.begin_ledger(text, text, date)
to waybill_jobs;
