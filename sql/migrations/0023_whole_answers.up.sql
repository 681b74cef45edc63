-- A ready answer is read as a row, and not as one with a chunk or two beside it: of 90
-- days one takes 6.5 kB, as it is compressed.  8160 is the most that a page has room for.
alter table waybill.dashboards set (toast_tuple_target = 8160);
