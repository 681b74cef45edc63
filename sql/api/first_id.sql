-- The smallest key of an instant, where keys begin with the time of their row:
-- waybill.uuid_first, which workers may not call.  What is before 1970 has the
-- smallest key of all.
create function api.first_id(p_at timestamptz)
returns uuid
language sql
immutable
strict
parallel safe
begin atomic
    select (lpad(to_hex(greatest(date_part('epoch', p_at) * 1000, 0)::bigint),
            12, '0')
        || '00000000000000000000')::uuid;
end;
revoke all on function api.first_id(timestamptz) from public;
grant execute on function api.first_id(timestamptz) to waybill_worker;
