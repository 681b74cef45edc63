-- What the database does for Waybill: sessions that work (busy) and that wait for
-- work, all but this one; null when the owner may not look at them.  transactions:
-- those since this session asked before, null for the first time; each call of
-- Waybill is one.
create or replace function waybill.database_load(
    out busy bigint, out idle bigint, out transactions bigint)
language plpgsql
as $$
declare
    v_before bigint := nullif(
        current_setting('waybill.transactions', true), '')::bigint;
    v_now bigint := (
        select d.xact_commit + d.xact_rollback
        from pg_stat_database d
        where d.datname = current_database());
begin
    -- less than before: somebody has reset the counters
    transactions := case when v_now >= v_before then v_now - v_before end;
    perform set_config('waybill.transactions', v_now::text, false);
    select count(*) filter (where s.state <> 'idle'),
        count(*) filter (where s.state = 'idle')
    into busy, idle
    from waybill.sessions() s
    where s.application like 'waybill%'
    having count(s.state) = count(*);
end
$$;
revoke all on function waybill.database_load() from public;
