-- Writes a person's own address, and only when something changed.  Shipments
-- keep it as it was when they were made.
create or replace function waybill.update_own_address(p_new waybill.addresses)
returns void
language plpgsql
as $$
begin
    update waybill.addresses a
    set (name, company, street1, street2, city, state, zip, country, phone,
        email, is_residential, carrier_facility, federal_tax_id, state_tax_id,
        updated_at, recorded_at) =
        (p_new.name, p_new.company, p_new.street1, p_new.street2, p_new.city,
        p_new.state, p_new.zip, p_new.country, p_new.phone, p_new.email,
        p_new.is_residential, p_new.carrier_facility, p_new.federal_tax_id,
        p_new.state_tax_id, now(), now())
    where a.id = p_new.id
        and a *<> p_new;
end
$$;
revoke all on function waybill.update_own_address(waybill.addresses)
from public;
