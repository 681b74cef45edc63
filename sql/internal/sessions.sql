-- Who is connected to this database and what that session does.  With the owner's
-- rights, for readers who may not see the sessions of others; the statements stay
-- out: in them may be anything.
create or replace function waybill.sessions()
returns table (pid integer, application text, role text, state text,
    started_at timestamptz, transaction_at timestamptz, state_at timestamptz,
    waits_for text)
language sql
stable
security definer
set search_path = pg_catalog, pg_temp
as $$
    select a.pid, a.application_name, a.usename::text, a.state,
        a.backend_start, a.xact_start, a.state_change, a.wait_event_type
    from pg_stat_activity a
    where a.datname = current_database()
        and coalesce(a.backend_type, 'client backend') = 'client backend'
        and a.pid <> pg_backend_pid()
$$;
revoke all on function waybill.sessions() from public;
grant execute on function waybill.sessions() to waybill_reader;
