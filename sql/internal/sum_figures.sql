-- The sums of two periods by carrier, currency and days; the date is the first one
-- of the later period, or of the earlier.
create or replace function waybill.sum_figures(
    p_mode text, p_earlier date, p_first date, p_last date)
returns setof waybill.daily_figures
language plpgsql
stable
parallel safe
as $$
begin
    return query
    select case when f.date >= p_first then p_first else p_earlier end,
        p_mode,
        f.carrier,
        null::text,
        f.currency,
        f.days,
        sum(f.shipments)::bigint,
        sum(f.purchased)::bigint,
        sum(f.delivered)::bigint,
        sum(f.in_transit)::bigint,
        sum(f.failed)::bigint,
        sum(f.cancelled)::bigint,
        sum(f.on_time)::bigint,
        sum(f.promised)::bigint,
        sum(f.cost),
        sum(f.costed)::bigint,
        sum(f.seconds)::bigint,
        sum(f.timed)::bigint
    from waybill.figures f
    where f.mode = p_mode
        and f.date between p_earlier and p_last
    group by 1, f.carrier, f.currency, f.days;
end
$$;
revoke all on function waybill.sum_figures(text, date, date, date) from public;
