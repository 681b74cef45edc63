-- Writes what record_objects found, in the one order of all locks.
create or replace function waybill.write_objects(
    p_addresses jsonb[], p_parcels jsonb[], p_customs jsonb[],
    p_rates jsonb[], p_journeys jsonb[], p_mode text)
returns void
language plpgsql
as $$
begin
    if p_journeys is not null then
        perform waybill.lock_objects(p_journeys);
    end if;
    if p_addresses is not null then
        perform waybill.record_addresses(p_addresses, p_mode);
    end if;
    if p_parcels is not null then
        perform waybill.record_parcels(p_parcels, p_mode);
    end if;
    if num_nonnulls(variadic p_customs) > 0 then
        perform waybill.record_customs_infos(p_customs, p_mode);
    end if;
    if p_rates is not null then
        perform waybill.record_rates(p_rates, p_mode);
    end if;
    if p_journeys is not null then
        perform waybill.record_journeys(p_journeys, p_mode);
    end if;
end
$$;
revoke all on function waybill.write_objects(
    jsonb[], jsonb[], jsonb[], jsonb[], jsonb[], text)
from public;
