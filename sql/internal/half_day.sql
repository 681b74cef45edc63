-- The half day (UTC) that it is now.
create or replace function waybill.half_day()
returns timestamptz
language sql
stable
parallel safe
as $$
    select date_bin(interval '12 hours', now(),
        timestamptz '2000-01-01 00:00:00+00')
$$;
revoke all on function waybill.half_day() from public;
grant execute on function waybill.half_day() to waybill_worker; -- a view asks as who reads it
