-- What is wrong with the shipments of a body as far as only the database can
-- know.  The rest was checked before it came here.
create or replace function waybill.shipment_item_problems(p_items jsonb)
returns table (status integer, item integer, field text, problem text)
language plpgsql
stable
as $$
begin
    return query
        select 422, i.at::integer - 1, r.field, r.problem
        from jsonb_array_elements(p_items) with ordinality as i (doc, at)
        cross join lateral (
            select a.name, 'names no address that is recorded.'
            from unnest(array['from_address_id', 'to_address_id',
                'return_address_id', 'buyer_address_id']) as a (name)
            where waybill.find_address(i.doc ->> a.name) is null
                and i.doc ->> a.name is not null
            union all
            select t.name, 'must lie between 1970 and tomorrow.'
            from unnest(array['created_at', 'purchased_at', 'delivered_at'])
                as t (name)
            where (i.doc ->> t.name)::timestamptz
                not between 'epoch' and now() + interval '1 day'
            union all
            select 'extra_metadata', 'may have 64 KiB at most.'
            where octet_length((i.doc -> 'extra_metadata')::text) > 65536)
            as r (field, problem)
        union all
        select 422, k.at::integer - 1, 'easypost_id',
            'stands in this body twice.'
        from (
            select i.at, row_number() over (
                partition by i.doc ->> 'easypost_id' order by i.at) as n
            from jsonb_array_elements(p_items) with ordinality as i (doc, at)
            where i.doc ->> 'easypost_id' is not null) k
        where k.n > 1
        union all
        select 409, i.at::integer - 1, 'easypost_id', case
            when s.deleted_at is null then 'is recorded already.'
            else 'is recorded already, and was deleted.' end
        from jsonb_array_elements(p_items) with ordinality as i (doc, at)
        join waybill.shipments s on s.easypost_id = i.doc ->> 'easypost_id'
        order by 1 desc, 2;
end
$$;
revoke all on function waybill.shipment_item_problems(jsonb) from public;
