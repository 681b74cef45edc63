-- The words of addresses that are most like one that was typed: up to 20,
-- nearest first; none when it is too short to guess.  One error in 4 to 6
-- letters (two neighbours that changed places are one), two in longer words.
-- Two errors spoil at most two of a word's three parts: its first two letters,
-- the next three (which may have moved by one), the rest.  So each word is found
-- by one of them, from indexes alone; 100,000 bounds what a part that all begin
-- with may cost (20 ms).
create or replace function waybill.similar_words(p_word text)
returns text[]
language plpgsql
stable
set plan_cache_mode = force_custom_plan
as $$
declare
    v_length integer := length(p_word);
    v_errors integer := case when v_length < 7 then 1 else 2 end;
    v_head text := left(p_word, 2);
    v_tail text := reverse(substr(p_word, case when v_length < 7
        then 3 else 6 end));
    v_middles text[] := case when v_length < 7 then '{}'::text[] else array[
        substr(p_word, 2, 3), substr(p_word, 3, 3), substr(p_word, 4, 3)] end;
    v_swapped text[] := array(
        select overlay(p_word placing reverse(substr(p_word, i, 2)) from i)
        from generate_series(1, v_length - 1) i);
begin
    if v_length not between 4 and 40 or p_word ~ '[0-9]' then
        return '{}'::text[];
    end if;
    return array(
        select f.word
        from (
            (select w.word
            from waybill.search_words w
            where w.word >= v_head
                and w.word < v_head || chr(1114111)
            limit 100000)
            union all
            (select reverse(w.reversed)
            from waybill.search_words w
            where w.reversed >= v_tail
                and w.reversed < v_tail || chr(1114111)
            limit 100000)
            union all
            (select w.word
            from waybill.search_words w
            where w.middle = any (v_middles)
            limit 100000)
            union all
            select w.word
            from waybill.search_words w
            where w.word = any (v_swapped)) f
        cross join lateral (
            select case when f.word = any (v_swapped) then 1
                else waybill.word_distance(p_word, f.word, v_errors) end) d (n)
        where length(f.word) between v_length - v_errors
                and v_length + v_errors
            and d.n <= v_errors
        group by f.word, d.n
        order by d.n, left(f.word, 1) <> left(p_word, 1), f.word
        limit 20);
end
$$;
revoke all on function waybill.similar_words(text) from public;
