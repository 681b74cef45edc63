-- EasyPost has just told of this tracker: what we have is as fresh as that, also
-- when nothing in it was new.
create function api.confirm_tracker(p_easypost_id text)
returns void
language plpgsql
security definer
set search_path = waybill, pg_temp
as $$
begin
    update waybill.trackers t
    set recorded_at = now()
    where t.easypost_id = p_easypost_id
        and t.recorded_at < now() - interval '1 second';
end
$$;
revoke all on function api.confirm_tracker(text) from public;
grant execute on function api.confirm_tracker(text) to waybill_worker;
