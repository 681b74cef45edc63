-- What each host may take of the server's connections, for the others to know.
alter table waybill.system_metrics add column db_connections_limit integer;
comment on column waybill.system_metrics.db_connections_limit is
    'Connections that this host may open at most: workers, spare ones too, and commands';
