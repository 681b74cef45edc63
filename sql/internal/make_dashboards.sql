-- Makes the answers ready that people look at most; called when figures changed, by
-- who holds the lock of merging.
create or replace function waybill.make_dashboards(p_modes text[])
returns void
language sql
as $$
    insert into waybill.dashboards as k (mode, days, date, body)
    select a.mode, p.days, (now() at time zone 'UTC')::date,
        waybill.dashboard_json(a.mode, p.days)
    from waybill.analytics_state a
    cross join (values (7), (30), (90)) as p (days)
    where a.mode = any (p_modes)
    on conflict (mode, days) do update
    set (date, body) = (excluded.date, excluded.body)
$$;
revoke all on function waybill.make_dashboards(text[]) from public;
