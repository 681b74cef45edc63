-- For privacy, and for good: of all requests before an instant the clients' addresses
-- are cut to their network (IPv4 /24, IPv6 /48) or, with p_is_erased, go altogether.
-- Tells of how many.
create function admin.cut_activity_addresses(p_before timestamptz,
    p_is_erased boolean)
returns table (requests bigint)
language sql
volatile
security definer
set search_path = waybill, pg_temp
begin atomic
    with cut as (
        update waybill.user_activities a
        set ip_address = case when not p_is_erased then
            network(set_masklen(a.ip_address,
                case family(a.ip_address) when 4 then 24 else 48 end)) end
        where a."timestamp" < p_before
            and a.ip_address is not null
            and (p_is_erased or masklen(a.ip_address) >
                case family(a.ip_address) when 4 then 24 else 48 end)
        returning 1)
    select count(*) from cut;
end;
revoke all on function admin.cut_activity_addresses(timestamptz, boolean)
from public;
