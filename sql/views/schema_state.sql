-- How far the database is migrated.
create view api.schema_state as
    select coalesce(max(m.version), 0) as schema_version
    from waybill.migrations m;
grant select on api.schema_state to waybill_worker, waybill_jobs;
