alter table waybill.reconciliation_ledger drop column changed;
drop table waybill.walks;
