-- Received webhooks without their bodies.
create view api.webhooks as
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
        w.received_at
    from waybill.webhook_events w;
grant select on api.webhooks to waybill_worker;
