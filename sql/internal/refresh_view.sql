-- Compares the sums that a view shows with the shipments, and repairs them.
-- p_since null: of the first two views some days, others each hour, so that all
-- of the last 90 have their turn in a day.  Gives how many sums were wrong; null:
-- none were compared.
create or replace function waybill.refresh_view(p_view text, p_since date)
returns bigint
language plpgsql
as $$
declare
    v_today date := (now() at time zone 'UTC')::date;
    v_hour integer := extract(hour from now() at time zone 'UTC');
    v_drift bigint := 0;
    v_day date;
begin
    if p_view = 'mv_top_routes' then
        -- a part of it could not be told apart: it is compared as a whole
        return case when p_since is not null then waybill.check_routes() end;
    elsif p_view = 'mv_carrier_performance' then
        v_hour := (v_hour + 12) % 24; -- the same sums: other days
    end if;
    if p_since is not null and p_view = 'mv_carrier_performance' then
        return null; -- all were compared a moment ago
    elsif p_since is not null then
        -- what EasyPost dates into the future is there, too
        return waybill.check_days(p_since, v_today + 400)
            + waybill.check_countries(p_since, v_today + 400);
    end if;
    for age in 0 .. 90 loop
        v_day := v_today - age;
        if age % 24 = v_hour
            or age < 2 and p_view = 'mv_daily_shipment_analytics'
        then
            v_drift := v_drift + waybill.check_days(v_day, v_day)
                + waybill.check_countries(v_day, v_day);
        end if;
    end loop;
    return v_drift;
end
$$;
revoke all on function waybill.refresh_view(text, date) from public;
