-- Whether a document from EasyPost may hold a secret; says yes too often rather
-- than too seldom.
create or replace function waybill.has_secrets(
    p_path text, p_object text, p_body text)
returns boolean
language plpgsql
immutable
as $$
begin
    if p_path ~ ('/(api_keys|users|carrier_accounts|webhooks|events'
        || '|referral_customers|embeddables|customer_portal|setup_intents'
        || '|financial_connections|payment_method|fedex_registrations)')
    then
        return true;
    elsif p_object is not null then
        return p_object in ('ApiKey', 'CarrierAccount', 'Webhook', 'User',
            'Payload', 'EmbeddablesSession', 'CustomerPortalAccountLink');
    end if;
    return strpos(p_body, '"ApiKey"') > 0
        or strpos(p_body, '"CarrierAccount"') > 0
        or strpos(p_body, '"Webhook"') > 0;
end
$$;
revoke all on function waybill.has_secrets(text, text, text) from public;
