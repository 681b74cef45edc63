-- How many shipments are still under way though the day promised for them has
-- ended, everywhere (12 hours after UTC); beyond a thousand it is not counted on.
create or replace function waybill.late_count(p_mode text)
returns bigint
language plpgsql
stable
parallel safe
as $$
begin
    return (
        select count(*)
        from (
            select
            from waybill.shipments s
            where s.mode = p_mode
                and s.promised_at < date_trunc('day',
                    now() - interval '12 hours', 'UTC')
                and s.deleted_at is null
                and s.delivered_at is null
                and s.status in ('unknown', 'pre_transit', 'in_transit',
                    'out_for_delivery', 'available_for_pickup')
            limit 1001) s);
end
$$;
revoke all on function waybill.late_count(text) from public;
