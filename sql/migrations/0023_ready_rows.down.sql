alter table waybill.dashboards reset (toast_tuple_target);
delete from waybill.dashboards;
alter table waybill.dashboards drop column horizon;
