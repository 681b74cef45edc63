-- One received webhook with its body; what is no JSON for PostgreSQL is there as
-- base64, in one line.
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
        translate(encode(w.raw, 'base64'), E'\n', '') as raw_base64
    from waybill.webhook_events w;
grant select on api.webhook to waybill_worker;
