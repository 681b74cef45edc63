-- The customers, once the words are there.  Variables: customers.

set search_path = seeding;

insert into customers
select n, f || ' ' || l,
    case when chance(n, 901) < 0.08 then c.words[
        1 + pick(n, 902, cardinality(c.words))] end,
    1 + pick(n, 903, 9900) || ' ' || s.words[
        1 + pick(n, 904, cardinality(s.words))],
    case when chance(n, 905) < 0.2 then 'Apt ' || 1 + pick(n, 906, 400) end,
    pick(n, 907, (select count(*)::integer from cities)),
    '555' || lpad(pick(n, 908, 10000000)::text, 7, '0'),
    lower(f || '.' || l || n || '@example.com'),
    case when chance(n, 909) < 0.7 then true end
from generate_series(0, :customers - 1) n
cross join lateral (
    select w.words[1 + pick(n, 910, cardinality(w.words))]
    from word_lists w where w.name = 'first') as first (f)
cross join lateral (
    select w.words[1 + pick(n, 911, cardinality(w.words))]
    from word_lists w where w.name = 'last') as last (l)
cross join (select w.words from word_lists w where w.name = 'company') c
cross join (select w.words from word_lists w where w.name = 'street') s;

create unlogged table sizes as
select (select count(*)::integer from shops) as shops,
    (select count(*)::integer from boxes) as boxes,
    (select count(*)::integer from labels) as labels,
    (select count(*)::integer from fates) as fates,
    :customers::integer as customers;
analyze;
