-- The modes that are counted with another number of shipments than their days sum up
-- to, and that number.  In one look: a merge changes both at once.
create or replace function waybill.wrong_modes()
returns table (mode text, shipments bigint)
language sql
stable
as $$
    select a.mode, coalesce(d.shipments, 0)::bigint
    from waybill.analytics_state a
    left join (
        select s.mode, sum(s.shipments) as shipments
        from waybill.shipment_days s
        group by s.mode) d on d.mode = a.mode
    where a.shipments <> coalesce(d.shipments, 0)
$$;
revoke all on function waybill.wrong_modes() from public;
