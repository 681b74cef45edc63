-- The shipments one of whose addresses satisfies every condition, unordered.
-- Where they cannot all be read: those of the newest addresses, and of the
-- newest shipments.
create or replace function waybill.shipments_of_words(p_terms tsquery[])
returns uuid[]
language plpgsql
stable
as $$
declare
    v_addresses uuid[] := waybill.addresses_of_words(p_terms);
    v_ids uuid[] := waybill.shipments_of_addresses(coalesce(v_addresses,
        waybill.newest_addresses(p_terms, 5000)));
begin
    if v_addresses is null or cardinality(v_ids) >= 20000 then
        v_ids := v_ids || waybill.newest_shipments(p_terms);
    end if;
    return v_ids;
end
$$;
revoke all on function waybill.shipments_of_words(tsquery[]) from public;
