-- For privacy: cuts the clients' addresses of all requests before an instant to
-- their network (IPv4 /24, IPv6 /48), for good.  Tells how many were cut.
create function admin.truncate_activity_addresses(p_before timestamptz)
returns table (truncated bigint)
language sql
volatile
security definer
set search_path = waybill, pg_temp
begin atomic
    with cut as (
        update waybill.user_activities a
        set ip_address = network(set_masklen(a.ip_address,
            case family(a.ip_address) when 4 then 24 else 48 end))
        where a."timestamp" < p_before
            and masklen(a.ip_address) >
                case family(a.ip_address) when 4 then 24 else 48 end
        returning 1)
    select count(*) from cut;
end;
revoke all on function admin.truncate_activity_addresses(timestamptz)
from public;
