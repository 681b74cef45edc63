-- The tables whose rows are functions of documents, with their versions.
create function admin.rebuilt_tables()
returns table (name text)
language sql
immutable
as $$
    values ('addresses'), ('parcels'), ('customs_infos'), ('trackers'),
        ('shipments'), ('refunds'), ('shipment_invoices'), ('rates'),
        ('batch_operations')
$$;
revoke all on function admin.rebuilt_tables() from public;
grant execute on function admin.rebuilt_tables() to waybill_jobs;
