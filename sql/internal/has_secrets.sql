-- Whether a text from EasyPost may hold a secret; says yes too often rather
-- than too seldom.  One look at the text, because every document passes here.
create or replace function waybill.has_secrets(p_text text, p_path text)
returns boolean
language sql
immutable
parallel safe
as $$
    select p_path ~ ('/(api_keys|users|carrier_accounts|webhooks|events'
            || '|referral_customers|embeddables|customer_portal|setup_intents'
            || '|financial_connections|payment_method|fedex_registrations)')
        or strpos(p_text, '"ApiKey"') > 0
        or strpos(p_text, '"CarrierAccount"') > 0
        or strpos(p_text, '"Webhook"') > 0
$$;
