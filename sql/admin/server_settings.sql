-- What the server has of these settings, as SHOW writes it, and whether a change
-- needs a restart.  No row for what this login may not see, nor for what it is
-- given by its own connection or role.
create function admin.server_settings(p_names text[])
returns table (server_version text, name text, value text,
    needs_restart boolean)
language sql
stable
begin atomic
    select current_setting('server_version'), s.name,
        current_setting(s.name), s.context = 'postmaster'
    from pg_catalog.pg_settings s
    where s.name = any (p_names)
        and s.source not in ('client', 'database', 'user', 'database user',
            'session')
    order by array_position(p_names, s.name);
end;
revoke all on function admin.server_settings(text[]) from public;
grant execute on function admin.server_settings(text[]) to waybill_jobs;
