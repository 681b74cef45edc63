-- Each use of an address by a shipment, one branch a role, so that counting
-- the uses of one address is four looks into indexes.  Deleted shipments count:
-- they still refer to it.
create view api.address_uses as
    select s.from_address_id as address_id
    from waybill.shipments s
    union all
    select s.to_address_id
    from waybill.shipments s
    union all
    select s.return_address_id
    from waybill.shipments s
    where s.return_address_id <> s.from_address_id
    union all
    select s.buyer_address_id
    from waybill.shipments s
    where s.buyer_address_id <> s.to_address_id;
grant select on api.address_uses to waybill_worker;
