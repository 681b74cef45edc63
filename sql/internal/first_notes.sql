-- The transactions whose notes a merge takes: all that have ended, or the oldest of
-- them when there are more than `most` notes.
create or replace function waybill.first_notes(p_most integer)
returns pg_snapshot
language plpgsql
as $$
declare
    v_now pg_snapshot;
    v_end xid8;
begin
    -- in one look: a transaction that began between two would be behind the first
    -- and before the end that the second finds, and half of its notes be taken.
    -- From the horizon on, or the index is walked through all that was merged since
    -- the last vacuum; a wrong one only makes the part larger
    select pg_current_snapshot(), (
        select d.xid
        from waybill.shipment_deltas d
        where d.xid >= (select min(a.horizon) from waybill.analytics_state a)
        order by d.xid
        offset p_most
        limit 1)
    into v_now, v_end;
    if v_end is null then
        return v_now;
    end if;
    -- of one transaction all or nothing is taken, so at least the first
    if v_end = (select min(d.xid) from waybill.shipment_deltas d) then
        v_end := (v_end::text::numeric + 1)::text::xid8;
    end if;
    -- notes out of a dump now have our own number, which may be beyond that look
    v_end := least(v_end, pg_snapshot_xmax(v_now));
    return cast(format('%s:%s:%s', least(pg_snapshot_xmin(v_now), v_end), v_end, (
        select string_agg(x::text, ',' order by x::text::numeric)
        from pg_snapshot_xip(v_now) x
        where x < v_end)) as pg_snapshot);
end
$$;
revoke all on function waybill.first_notes(integer) from public;
