-- The newest shipments that are meant by what was typed, at most 10,000, newest
-- first: by EasyPost id, tracking code or reference, or by the words of one of
-- their addresses, as api.search_addresses finds it.
create function api.search_shipments(p_q text)
returns uuid[]
language plpgsql
stable
strict
security definer
set search_path = waybill, pg_temp
as $$
declare
    v_q text := left(p_q, 200);
    v_terms tsquery[] := waybill.search_terms(v_q, false);
    v_like tsquery[];
    v_ids uuid[] := waybill.shipments_of_code(v_q);
begin
    if v_terms <> '{}' then
        v_ids := v_ids || waybill.shipments_of_words(v_terms);
    end if;
    if v_ids = '{}' then
        v_like := waybill.search_terms(v_q, true);
        if v_like <> v_terms then
            v_ids := waybill.shipments_of_words(v_like);
        end if;
    end if;
    return array(
        select distinct i.id
        from unnest(v_ids) as i (id)
        order by i.id desc
        limit 10000);
end
$$;
revoke all on function api.search_shipments(text) from public;
grant execute on function api.search_shipments(text) to waybill_worker;
