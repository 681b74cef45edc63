alter table waybill.dashboards reset (toast_tuple_target);
