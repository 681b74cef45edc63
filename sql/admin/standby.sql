-- How far a standby is behind, in seconds: of the last transaction that it has
-- applied, and none when it has applied all that it has received.
create function admin.standby()
returns table (is_standby boolean, lag_s bigint)
language sql
stable
security definer
set search_path = waybill, pg_temp
begin atomic
    select pg_is_in_recovery(),
        case when pg_is_in_recovery()
            and pg_last_wal_receive_lsn() is distinct from
                pg_last_wal_replay_lsn()
        then waybill.seconds_since(pg_last_xact_replay_timestamp())
        else 0 end;
end;
revoke all on function admin.standby() from public;
grant execute on function admin.standby() to waybill_jobs;
