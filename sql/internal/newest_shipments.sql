-- Those of the newest 10,000 shipments (with n conditions, more than two, of two
-- nths) one of whose addresses satisfies every condition (30 ms): an address that is used again and again may be an old one.
-- offset 0: the addresses by their keys, never all that have the words.
create or replace function waybill.newest_shipments(p_terms tsquery[])
returns uuid[]
language plpgsql
stable
as $$
declare
    v_query tsquery := waybill.search_all(p_terms);
begin
    return array(
        select s.id
        from (
            select k.id, array[k.to_address_id, k.from_address_id,
                k.return_address_id, k.buyer_address_id] as addresses
            from waybill.shipments k
            where k.deleted_at is null
            order by k.created_at desc, k.id desc
            limit 20000 / greatest(cardinality(p_terms), 2)) s
        where exists (
            select
            from (
                select k.search_vector, k.deleted_at
                from waybill.addresses k
                where k.id = any (s.addresses)
                offset 0) a
            where a.search_vector @@ v_query
                and a.deleted_at is null));
end
$$;
revoke all on function waybill.newest_shipments(tsquery[]) from public;
