-- Whole seconds from then to now; null when that never was.
create function waybill.seconds_since(p_at timestamptz)
returns bigint
language sql
stable
as $$
    select floor(date_part('epoch', now() - p_at))::bigint
$$;
revoke all on function waybill.seconds_since(timestamptz) from public;
