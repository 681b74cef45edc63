-- Addresses, newest first, each with the number of its uses by shipments.  Only
-- the addresses of the page are counted.
create function api.addresses(
    p_limit integer, p_offset integer, p_after_created_at timestamptz,
    p_after_id uuid, p_country text, p_state text, p_city text)
returns table (id uuid, easypost_id text, name text, company text,
    street1 text, street2 text, city text, state text, zip text, country text,
    phone text, email text, verifications jsonb, is_residential boolean,
    carrier_facility text, federal_tax_id text, state_tax_id text, mode text,
    created_at timestamptz, updated_at timestamptz, usage_count bigint)
language sql
stable
begin atomic
    select p.id, p.easypost_id, p.name, p.company, p.street1, p.street2,
        p.city, p.state, p.zip, p.country, p.phone, p.email, p.verifications,
        p.is_residential, p.carrier_facility, p.federal_tax_id,
        p.state_tax_id, p.mode, p.created_at, p.updated_at, u.usage_count
    from (
        select a.id, a.easypost_id, a.name, a.company, a.street1, a.street2,
            a.city, a.state, a.zip, a.country, a.phone, a.email,
            a.verifications, a.is_residential, a.carrier_facility,
            a.federal_tax_id, a.state_tax_id, a.mode, a.created_at,
            a.updated_at
        from api.address_rows a
        where (p_after_created_at is null
                or (a.created_at, a.id) < (p_after_created_at, p_after_id))
            and (p_country is null or a.country = p_country)
            and (p_state is null or a.state = p_state)
            and (p_city is null or a.city = p_city)
        order by a.created_at desc, a.id desc
        limit p_limit
        offset p_offset) p
    cross join lateral (
        select count(*)
        from api.address_uses s
        where s.address_id = p.id) as u (usage_count)
    order by p.created_at desc, p.id desc;
end;
revoke all on function api.addresses(
    integer, integer, timestamptz, uuid, text, text, text) from public;
grant execute on function api.addresses(
    integer, integer, timestamptz, uuid, text, text, text) to waybill_worker;
