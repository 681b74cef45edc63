alter table waybill.batch_operations drop column items;
