-- The addresses that satisfy every condition among the newest 200,000, with n
-- conditions among an nth of them (50 ms), newest first and at most so many: for
-- words so common that these are the ones that matter.
create or replace function waybill.newest_addresses(
    p_terms tsquery[], p_limit integer)
returns uuid[]
language plpgsql
stable
as $$
declare
    v_query tsquery := waybill.search_all(p_terms);
begin
    return array(
        select c.id
        from (
            select a.id, a.search_vector
            from waybill.addresses a
            where a.deleted_at is null
            order by a.created_at desc, a.id desc
            limit 200000 / cardinality(p_terms)) c
        where c.search_vector @@ v_query
        limit p_limit);
end
$$;
revoke all on function waybill.newest_addresses(tsquery[], integer)
from public;
