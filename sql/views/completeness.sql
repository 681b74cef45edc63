-- The ledger: day by day and kind by kind what EasyPost has and what we have.
create view api.completeness as
    select l.id,
        l.day,
        l.object,
        l.mode,
        l.easypost_count,
        l.database_count,
        cardinality(l.missing_ids) as missing,
        to_json(l.missing_ids) as missing_ids,
        l.repaired,
        l.changed,
        l.is_complete,
        l.error,
        l.started_at,
        l.checked_at,
        l.day::timestamp at time zone 'UTC' as begins_at
    from waybill.reconciliation_ledger l;
grant select on api.completeness to waybill_worker;
