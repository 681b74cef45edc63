-- One address with the number of its uses by shipments, by UUID or EasyPost id.
-- No row: not found.  Not atomic: api.find_address comes after it.
create function api.address(p_ref text)
returns table (id uuid, easypost_id text, name text, company text,
    street1 text, street2 text, city text, state text, zip text, country text,
    phone text, email text, verifications jsonb, is_residential boolean,
    carrier_facility text, federal_tax_id text, state_tax_id text, mode text,
    created_at timestamptz, updated_at timestamptz, usage_count bigint)
language sql
stable
as $$
    select a.id, a.easypost_id, a.name, a.company, a.street1, a.street2,
        a.city, a.state, a.zip, a.country, a.phone, a.email, a.verifications,
        a.is_residential, a.carrier_facility, a.federal_tax_id,
        a.state_tax_id, a.mode, a.created_at, a.updated_at, u.usage_count
    from api.address_rows a
    cross join lateral (
        select count(*)
        from api.address_uses s
        where s.address_id = a.id) as u (usage_count)
    where a.id = api.find_address(p_ref);
$$;
revoke all on function api.address(text) from public;
grant execute on function api.address(text) to waybill_worker;
