select waybill.drop_partitioned('webhook_events');
drop table waybill.webhook_event_ids;
