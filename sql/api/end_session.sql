-- Ends a session; of one that is not there nothing is said.
create function api.end_session(p_token_sha256 bytea)
returns void
language sql
volatile
security definer
set search_path = waybill, pg_temp
begin atomic
    delete from waybill.sessions s
    where s.token_sha256 = p_token_sha256;
end;
revoke all on function api.end_session(bytea) from public;
grant execute on function api.end_session(bytea) to waybill_worker;
