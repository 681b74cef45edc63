-- Rates that came on their own; those inside a shipment stay with it.
create or replace function waybill.record_rates(p_docs jsonb[], p_mode text)
returns void
language plpgsql
as $$
begin
    insert into waybill.rates as r (id, easypost_id, created_at, updated_at,
        mode, shipment_easypost_id, carrier, service, rate, list_rate,
        retail_rate, currency, delivery_days, delivery_date,
        delivery_date_guaranteed, carrier_account_id,
        doc_updated_at, doc_richness, doc_digest)
    select d.id, d.easypost_id, d.created_at, d.updated_at,
        waybill.to_mode(d.doc ->> 'mode', p_mode),
        waybill.to_key(d.doc ->> 'shipment_id'), d.doc ->> 'carrier',
        d.doc ->> 'service', waybill.to_number(d.doc ->> 'rate'),
        waybill.to_number(d.doc ->> 'list_rate'),
        waybill.to_number(d.doc ->> 'retail_rate'), d.doc ->> 'currency',
        waybill.to_count(d.doc ->> 'delivery_days'),
        waybill.to_time(d.doc ->> 'delivery_date'),
        waybill.to_flag(d.doc ->> 'delivery_date_guaranteed'),
        d.doc ->> 'carrier_account_id', d.updated_at, d.richness, d.digest
    from waybill.distinct_documents(p_docs) d
    where not exists (
        select from waybill.rates k
        where k.easypost_id = d.easypost_id
            and (k.doc_updated_at, k.doc_richness, k.doc_digest)
                >= (d.updated_at, d.richness, d.digest))
    order by d.easypost_id
    on conflict (easypost_id) do update
    set (id, created_at, updated_at, mode, shipment_easypost_id, carrier,
        service, rate, list_rate, retail_rate, currency, delivery_days,
        delivery_date, delivery_date_guaranteed, carrier_account_id, doc_updated_at,
        doc_richness, doc_digest, recorded_at) =
        (excluded.id, excluded.created_at, excluded.updated_at, excluded.mode,
        excluded.shipment_easypost_id, excluded.carrier, excluded.service,
        excluded.rate, excluded.list_rate, excluded.retail_rate,
        excluded.currency, excluded.delivery_days, excluded.delivery_date,
        excluded.delivery_date_guaranteed, excluded.carrier_account_id,
        excluded.doc_updated_at, excluded.doc_richness, excluded.doc_digest,
        now())
    where (excluded.doc_updated_at, excluded.doc_richness, excluded.doc_digest)
        > (r.doc_updated_at, r.doc_richness, r.doc_digest);
end
$$;
revoke all on function waybill.record_rates(jsonb[], text) from public;
