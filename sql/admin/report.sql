-- The same for people: the title once more in each row, out of the same answer.
create function admin.report(p_days integer, p_mode text)
returns table (title text, part text, name text, shipments text, change text,
    delivered bigint, under_way bigint, failed bigint, on_time text,
    days text, cost text, each text)
language plpgsql
stable
security definer
set search_path = waybill, pg_temp
as $$
begin
    return query
    select format('%s mode, %s to %s (UTC), %s', r.mode, r.first,
            r.last, coalesce('as of ' || r.as_of, 'nothing recorded yet')),
        r.part, r.name,
        case when r.part = 'late' and r.shipments > 1000 then '> 1000'
            else r.shipments::text end,
        to_char(r.change_percent, 'FMSG999990.0') || ' %',
        r.delivered, r.under_way, r.failed,
        case when r.on_time_sample is not null then coalesce(
            r.on_time_rate || ' % of ' || r.on_time_sample, 'unknown') end,
        case when r.delivery_days_sample is not null then coalesce(
            r.delivery_days_p50 || ' / ' || r.delivery_days_p90 || ' of '
                || r.delivery_days_sample,
            'mean ' || r.avg_delivery_days || ' of '
                || r.delivery_days_sample, 'unknown') end,
        nullif(concat_ws(' ', r.total_cost, r.currency), ''),
        r.avg_cost::text
    from (
        select o.*, min(o.date_from) filter (where o.part = 'total') over ()
            as first, min(o.date_to) filter (where o.part = 'total') over ()
            as last
        from admin.report_rows(p_days, p_mode) o) r;
end
$$;
revoke all on function admin.report(integer, text) from public;
grant execute on function admin.report(integer, text) to waybill_jobs;
