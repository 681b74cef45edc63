-- Within how many begun days that share of the parcels arrived, by counts of
-- parcels in order of their days; null when there are none.
create or replace function waybill.days_percentile(
    p_share numeric, p_days integer[], p_parcels bigint[])
returns integer
language plpgsql
immutable
parallel safe
as $$
begin
    return (
        select min(c.days)
        from (
            select u.days,
                sum(u.parcels) over (order by u.days) as so_far,
                sum(u.parcels) over () as parcels
            from unnest(p_days, p_parcels) as u (days, parcels)) c
        where c.parcels > 0
            and c.so_far >= p_share * c.parcels);
end
$$;
revoke all on function waybill.days_percentile(numeric, integer[], bigint[])
from public;
