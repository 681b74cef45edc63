alter table waybill.system_metrics drop column db_connections_limit;
