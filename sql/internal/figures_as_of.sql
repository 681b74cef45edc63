-- When what the figures of a mode tell has last changed; null: never.
create or replace function waybill.figures_as_of(p_mode text)
returns text
language plpgsql
stable
parallel safe
as $$
begin
    return (
        select waybill.moment_text(greatest(a.changed_at, (
            select max(d.changed_at)
            from waybill.shipment_deltas d
            where d.xid >= a.horizon
                and d.mode = a.mode)))
        from waybill.analytics_state a
        where a.mode = p_mode);
end
$$;
revoke all on function waybill.figures_as_of(text) from public;
