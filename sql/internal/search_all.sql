-- The condition that all of these hold, but for nulls; null: there is none.
create or replace function waybill.search_all(p_terms tsquery[])
returns tsquery
language sql
immutable
parallel safe
as $$
    select string_agg(concat('(', t.term, ')'), '&')::tsquery
    from unnest(p_terms) as t (term)
    where t.term is not null
$$;
revoke all on function waybill.search_all(tsquery[]) from public;
