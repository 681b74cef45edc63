-- The newest addresses that are meant by what was typed, at most 10,000, newest
-- first.  Every word has to begin one of the address's words; only when no
-- address has them all, words that are like it are taken too.
create function api.search_addresses(p_q text)
returns uuid[]
language plpgsql
stable
strict
security definer
set search_path = waybill, pg_temp
as $$
declare
    v_terms tsquery[] := waybill.search_terms(p_q, false);
    v_like tsquery[];
    v_ids uuid[] := '{}'::uuid[];
begin
    if v_terms <> '{}' then
        v_ids := coalesce(waybill.addresses_of_words(v_terms),
            waybill.newest_addresses(v_terms, 10000));
    end if;
    if v_ids = '{}' then
        v_like := waybill.search_terms(p_q, true);
        if v_like <> v_terms then
            v_ids := coalesce(waybill.addresses_of_words(v_like),
                waybill.newest_addresses(v_like, 10000));
        end if;
    end if;
    return v_ids;
end
$$;
revoke all on function api.search_addresses(text) from public;
grant execute on function api.search_addresses(text) to waybill_worker;
