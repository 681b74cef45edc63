-- A document without what nobody may read in a database: API keys, carrier
-- credentials, webhook secrets and the headers set with them, sessions, and
-- users and passwords in addresses of the web.  The keys stay, their values
-- become null.  The depth is bounded by what could be read as jsonb.
create or replace function waybill.blank_secrets(p_doc jsonb)
returns jsonb
language plpgsql
immutable
as $$
begin
    case jsonb_typeof(p_doc)
    when 'array' then
        return coalesce((
            select jsonb_agg(waybill.blank_secrets(e.value) order by e.at)
            from jsonb_array_elements(p_doc) with ordinality as e (value, at)),
            '[]');
    when 'object' then
        return coalesce((
            select jsonb_object_agg(e.key, case
                when e.key in ('credentials', 'test_credentials',
                        'webhook_secret', 'custom_headers', 'client_secret',
                        'secret', 'password', 'session_id')
                    or e.key = 'key' and p_doc ->> 'object' = 'ApiKey'
                    or e.key = 'link'
                        and p_doc ->> 'object' = 'CustomerPortalAccountLink'
                then null
                when e.key = 'request_headers'
                    and jsonb_typeof(e.value) = 'object'
                then (
                    select coalesce(jsonb_object_agg(h.key, case
                        when lower(h.key) in ('accept', 'accept-encoding',
                            'content-length', 'content-type', 'host',
                            'user-agent') then h.value end), '{}')
                    from jsonb_each(e.value) h)
                else waybill.blank_secrets(e.value) end)
            from jsonb_each(p_doc) e), '{}');
    when 'string' then
        return to_jsonb(waybill.blank_urls(p_doc #>> '{}'));
    else
        return p_doc;
    end case;
end
$$;
revoke all on function waybill.blank_secrets(jsonb) from public;
