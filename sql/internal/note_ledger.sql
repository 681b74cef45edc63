-- Adds one page of a list to the days of the ledger from p_since on.  p_known: what
-- of it was here before it was recorded, with digests, as json of
-- waybill.known_objects.  Missing is what is not here now, or is in p_failed.
create or replace function waybill.note_ledger(
    p_mode text, p_object text, p_since date, p_elements jsonb[],
    p_known jsonb, p_failed text[])
returns void
language sql
volatile
as $$
    with listed as (
        select e.doc ->> 'id' as easypost_id,
            (waybill.to_time(e.doc ->> 'created_at')
                at time zone 'UTC')::date as day
        from unnest(p_elements) as e (doc)),
    judged as (
        select l.day,
            l.easypost_id,
            a.easypost_id is null or l.easypost_id = any (p_failed)
                as is_missing,
            a.easypost_id is not null and not p_known ? l.easypost_id
                as is_new,
            a.digest <> (p_known ->> l.easypost_id)::bigint as is_changed
        from listed l
        left join waybill.known_objects(p_object, array(
            select k.easypost_id from listed k)) a
            on a.easypost_id = l.easypost_id),
    summed as (
        select j.day,
            count(*) as listed,
            count(*) filter (where j.is_new) as new,
            count(*) filter (where j.is_changed) as changed,
            coalesce(array_agg(j.easypost_id) filter (where j.is_missing),
                '{}') as missing
        from judged j
        where j.day >= p_since
        group by j.day)
    update waybill.reconciliation_ledger l
    set easypost_count = l.easypost_count + s.listed,
        repaired = l.repaired + s.new + s.changed,
        changed = l.changed + s.changed,
        missing_ids = (l.missing_ids || s.missing)[:100]
    from summed s
    where l.day = s.day
        and l.object = p_object
        and l.mode = p_mode;
$$;
revoke all on function waybill.note_ledger(
    text, text, date, jsonb[], jsonb, text[]) from public;
