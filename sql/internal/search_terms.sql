-- What was typed as a condition a word, the longest first, at most 8: begins
-- with it; forgiving: or is like it.
create or replace function waybill.search_terms(
    p_q text, p_is_forgiving boolean)
returns tsquery[]
language sql
stable
as $$
    select array(
        select concat(quote_literal(w.word), ':*', (
            select string_agg('|' || quote_literal(s.word), '')
            from unnest(waybill.similar_words(w.word)) as s (word)
            where p_is_forgiving))::tsquery
        from unnest(tsvector_to_array(
            waybill.search_vector(left(p_q, 200)))) as w (word)
        order by length(w.word) desc, w.word
        limit 8)
$$;
revoke all on function waybill.search_terms(text, boolean) from public;
