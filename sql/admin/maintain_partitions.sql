-- Makes the partitions of the coming months and retires those whose time is
-- over; one row for each that was made, dropped or detached.
create function admin.maintain_partitions()
returns table (parent text, partition text, action text)
language plpgsql
security definer
set search_path = waybill, pg_temp
set lock_timeout = '3s'
as $$
begin
    return query
        select e.parent, e.partition, 'made'
        from waybill.ensure_partitions() e;
    return query
        select r.parent, r.partition, r.action
        from waybill.retire_partitions() r;
end
$$;
revoke all on function admin.maintain_partitions() from public;
grant execute on function admin.maintain_partitions() to waybill_jobs;
