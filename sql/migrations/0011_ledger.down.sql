alter table waybill.reconciliation_ledger
    drop column changed,
    drop column last_page;
drop table waybill.walks;
