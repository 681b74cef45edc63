-- One received webhook with its body; what is no JSON for PostgreSQL is there as
-- base64.
create view api.webhook as
    select w.id,
        w.easypost_id,
        w.description,
        w.mode,
        w.object,
        w.object_id,
        w.user_id,
        w.state,
        w.error,
        w.request_id,
        w.occurred_at,
        w.received_at,
        w.payload,
        encode(w.raw, 'base64') as raw_base64
    from waybill.webhook_events w;
grant select on api.webhook to waybill_worker;
