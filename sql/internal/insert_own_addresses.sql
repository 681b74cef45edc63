-- Addresses that a person gave, checked already, with the keys that they get.
create or replace function waybill.insert_own_addresses(
    p_ids uuid[], p_docs jsonb[], p_mode text)
returns void
language plpgsql
as $$
begin
    insert into waybill.addresses (id, name, company, street1, street2, city,
        state, zip, country, phone, email, is_residential, carrier_facility,
        federal_tax_id, state_tax_id, mode)
    select d.id, a.name, a.company, a.street1, a.street2, a.city, a.state,
        a.zip, a.country, a.phone, a.email, a.is_residential,
        a.carrier_facility, a.federal_tax_id, a.state_tax_id, p_mode
    from unnest(p_ids, p_docs) as d (id, doc)
    cross join lateral jsonb_to_record(d.doc) as a (name text, company text,
        street1 text, street2 text, city text, state text, zip text,
        country text, phone text, email text, is_residential boolean,
        carrier_facility text, federal_tax_id text, state_tax_id text);
end
$$;
revoke all on function waybill.insert_own_addresses(uuid[], jsonb[], text)
from public;
