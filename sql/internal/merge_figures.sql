-- Merges what was noted of changed shipments into the sums: safe to call every
-- second from anywhere, one does it.  Gives how many notes it took; null: somebody
-- else is at it.  What it costs follows the changes, and has a bound: what has piled
-- up is taken in parts.  Answers that were ready are no
-- longer so until make_dashboards makes them anew.
create or replace function waybill.merge_figures()
returns bigint
language plpgsql
as $$
declare
    v_taken pg_snapshot; -- the transactions whose notes are merged
    v_changed jsonb;
    v_merged bigint;
begin
    if not pg_try_advisory_xact_lock(hashtextextended('waybill.merge', 0)) then
        return null;
    end if;
    -- a dump brings notes of transactions that this cluster has yet to see
    update waybill.shipment_deltas d
    set xid = pg_current_xact_id()
    where d.xid >= pg_snapshot_xmax(pg_current_snapshot());
    perform waybill.move_routes();
    v_taken := waybill.first_notes(200000);
    perform waybill.merge_days(v_taken);
    perform waybill.merge_countries(v_taken);
    perform waybill.merge_routes(v_taken);
    with taken as (
        delete from waybill.shipment_deltas d
        where pg_visible_in_snapshot(d.xid, v_taken)
        returning d.mode, d.changed_at, d.shipments
    )
    select jsonb_object_agg(t.mode, jsonb_build_object('at', t.changed_at,
            'shipments', t.shipments)), coalesce(sum(t.notes), 0)
    into v_changed, v_merged
    from (
        select t.mode, max(t.changed_at) as changed_at,
            sum(t.shipments) as shipments, count(*) as notes
        from taken t
        group by t.mode) t;
    -- a horizon that another cluster has left behind would hide what is noted
    update waybill.analytics_state a
    set horizon = pg_snapshot_xmin(v_taken),
        changed_at = greatest(a.changed_at,
            (v_changed -> a.mode ->> 'at')::timestamptz),
        shipments = a.shipments
            + coalesce((v_changed -> a.mode ->> 'shipments')::bigint, 0),
        merged_at = now()
    where v_merged > 0
        or a.horizon > pg_snapshot_xmin(v_taken);
    delete from waybill.dashboards d
    where v_changed ? d.mode;
    return v_merged;
end
$$;
revoke all on function waybill.merge_figures() from public;
