-- The shipments with this id of EasyPost, this tracking code or reference, or
-- one of 3 letters and more that begins so, unordered.  In any case of letters,
-- where one case is kept throughout or words begin with a capital one; blanks
-- and hyphens may be what somebody put into a code to read it.  Of each at most
-- 2,000 (20 ms).
create or replace function waybill.shipments_of_code(p_q text)
returns uuid[]
language plpgsql
stable
set plan_cache_mode = force_custom_plan
set enable_seqscan = off
as $$
declare
    v_typed text := btrim(p_q);
    v_codes text[] := array(
        select distinct c.code
        from unnest(array[v_typed, translate(v_typed, ' -', '')]) as t (text)
        cross join lateral unnest(array[t.text, upper(t.text), lower(t.text),
            initcap(t.text)]) as c (code)
        where c.code <> '');
begin
    return array(
        select f.id
        from (
            (select s.id, s.deleted_at
            from waybill.shipments s
            where s.easypost_id = any (v_codes))
            union all
            (select s.id, s.deleted_at
            from waybill.shipments s
            where s.tracking_code = any (v_codes)
            limit 2000)
            union all
            (select s.id, s.deleted_at
            from waybill.shipments s
            where s.reference = any (v_codes)
            limit 2000)
            union all
            select b.id, b.deleted_at
            from unnest(v_codes) as c (code)
            cross join lateral (
                (select s.id, s.deleted_at
                from waybill.shipments s
                where s.tracking_code >= c.code
                    and s.tracking_code < c.code || chr(1114111)
                limit 2000)
                union all
                (select s.id, s.deleted_at
                from waybill.shipments s
                where s.reference ~>=~ c.code
                    and s.reference ~<~ (c.code || chr(1114111))
                limit 2000)) b
            where length(c.code) >= 3) f
        where f.deleted_at is null);
end
$$;
revoke all on function waybill.shipments_of_code(text) from public;
