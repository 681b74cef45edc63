drop table waybill.sessions;
