-- What the document of a shipment says, as columns.
create or replace function waybill.shipment_columns(
    p_doc jsonb, p_mode text, p_updated_at timestamptz,
    out created_at timestamptz, out mode text, out reference text,
    out selected_rate_id text, out rates_data json,
    out base_cost numeric, out fees jsonb, out insurance numeric,
    out currency text, out service text, out delivery_days integer,
    out delivery_date timestamptz, out weight numeric, out is_return boolean,
    out order_id text, out label_url text, out purchased_at timestamptz,
    out promised_at timestamptz, out doc_status text,
    out doc_tracking_code text, out doc_carrier text,
    out doc_refund_status text, out doc_batch_id text,
    out doc_batch_status text)
language plpgsql
stable
as $$
declare
    v_rate jsonb := p_doc -> 'selected_rate';
begin
    created_at := coalesce(waybill.to_time(p_doc ->> 'created_at'),
        p_updated_at);
    mode := waybill.to_mode(p_doc ->> 'mode', p_mode);
    reference := waybill.to_brief(p_doc ->> 'reference', 1000);
    insurance := waybill.to_number(p_doc ->> 'insurance');
    is_return := waybill.to_flag(p_doc ->> 'is_return');
    order_id := waybill.to_key(p_doc ->> 'order_id');
    doc_status := coalesce(waybill.to_brief(p_doc ->> 'status', 200),
        'unknown');
    doc_tracking_code := waybill.to_key(p_doc ->> 'tracking_code');
    doc_refund_status := p_doc ->> 'refund_status';
    doc_batch_id := waybill.to_key(p_doc ->> 'batch_id');
    doc_batch_status := p_doc ->> 'batch_status';
    currency := waybill.to_currency(p_doc -> 'options' ->> 'currency');
    weight := nullif(waybill.to_number(p_doc -> 'parcel' ->> 'weight'), 0);
    rates_data := case jsonb_typeof(p_doc -> 'rates') when 'array'
        then (p_doc -> 'rates')::text::json end;
    if v_rate ->> 'rate' is null then
        return; -- no postage was bought yet: no carrier, no cost, no promise
    end if;
    label_url := p_doc -> 'postage_label' ->> 'label_url';
    purchased_at := waybill.to_time(p_doc -> 'postage_label' ->> 'created_at');
    doc_carrier := waybill.to_brief(v_rate ->> 'carrier', 200);
    service := waybill.to_brief(v_rate ->> 'service', 200);
    selected_rate_id := waybill.to_key(v_rate ->> 'id');
    base_cost := waybill.to_number(v_rate ->> 'rate');
    fees := waybill.fees_json(p_doc -> 'fees');
    currency := coalesce(waybill.to_currency(v_rate ->> 'currency'), currency);
    delivery_days := waybill.to_count(v_rate ->> 'delivery_days');
    delivery_date := waybill.to_time(v_rate ->> 'delivery_date');
    promised_at := coalesce(delivery_date, case when delivery_days <= 365
        then purchased_at + delivery_days * interval '1 day' end);
end
$$;
revoke all on function waybill.shipment_columns(jsonb, text, timestamptz)
from public;
