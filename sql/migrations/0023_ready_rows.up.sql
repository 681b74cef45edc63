-- What is ready says by itself from which transactions on notes would belie it, so
-- that who reads it asks one table less.
delete from waybill.dashboards;
alter table waybill.dashboards add column horizon xid8 not null;
comment on column waybill.dashboards.horizon is
    'It has what was noted by older transactions';

-- An answer is read as a row, and not as one with a chunk or two beside it: of 90 days
-- one takes 6.5 kB, as it is compressed.  8160 is the most that a page has room for.
alter table waybill.dashboards set (toast_tuple_target = 8160);
