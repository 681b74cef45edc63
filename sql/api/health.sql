-- What the database says of itself; really asked, and cheap to ask.
create function api.health()
returns table (version text, schema_version integer, is_in_recovery boolean,
    database_time timestamptz, max_connections integer)
language sql
stable
begin atomic
    select current_setting('server_version'),
        s.schema_version,
        pg_is_in_recovery(),
        clock_timestamp(),
        current_setting('max_connections')::integer
    from api.schema_state s;
end;
revoke all on function api.health() from public;
grant execute on function api.health() to waybill_worker, waybill_jobs;
