-- Compares the sums that a view shows with the shipments, and repairs them.
-- p_since null: a day from before the last 90, another each hour, then today and
-- yesterday and others as long as there is time; with p_since all are compared.
-- Then how many shipments each mode has.  Gives how many sums were wrong; null: none
-- were compared.
create or replace function waybill.compare_view(p_view text, p_since date)
returns bigint
language plpgsql
as $$
declare
    -- what is dated into the future is in the sums, too
    c_last constant date := date '9999-12-31';
    v_today date := (now() at time zone 'UTC')::date;
    v_hours bigint := date_part('epoch', now())::bigint / 3600;
    v_older integer; -- days before the last 90
    v_until timestamptz := clock_timestamp() + interval '100 ms';
    v_drift bigint := 0;
    v_day date;
begin
    if p_since is not null and p_view = 'mv_daily_shipment_analytics' then
        v_day := p_since;
        while v_day <= v_today loop -- a month at a time has a bound in memory
            v_drift := v_drift + waybill.check_days(v_day, v_day + 29);
            v_day := v_day + 30;
        end loop;
        return v_drift + waybill.check_days(v_day, c_last)
            + waybill.check_modes();
    elsif p_since is not null and p_view = 'mv_top_routes' then
        return waybill.check_routes((
            select min(a.routes_from) from waybill.analytics_state a), c_last);
    elsif p_since is not null or p_view <> 'mv_daily_shipment_analytics' then
        -- carriers: the same sums.  Routes: a part could not be told apart
        return null;
    end if;
    v_older := v_today - 89 - (
        select (min(s.created_at) at time zone 'UTC')::date
        from waybill.shipments s
        where s.deleted_at is null);
    for step in case when v_older > 0 then 0 else 1 end .. 90 loop
        exit when step > 2 and clock_timestamp() > v_until;
        v_day := v_today - (case when step = 0 then 90 + v_hours % v_older
            when step <= 2 then step - 1 else (v_hours + step - 2) % 90
            end)::integer;
        v_drift := v_drift + waybill.check_days(v_day, v_day);
    end loop;
    return v_drift + waybill.check_modes();
end
$$;
revoke all on function waybill.compare_view(text, date) from public;
