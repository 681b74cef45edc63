-- How much is not as it was deployed, and the first of it.  Somebody's own index
-- or table beside ours is none of our business.
create function admin.schema_changes()
returns table (changes bigint, first text)
language sql
stable
security definer
set search_path = waybill, pg_temp
begin atomic
    select count(*), min(d.object)
    from waybill.schema_differences() d
    where d.difference <> 'added';
end;
revoke all on function admin.schema_changes() from public;
grant execute on function admin.schema_changes() to waybill_jobs;
