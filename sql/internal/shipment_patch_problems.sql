-- Why a shipment may not become what a patch makes of it.
create or replace function waybill.shipment_patch_problems(
    p_old waybill.shipments, p_new waybill.shipments, p_patch jsonb)
returns table (status integer, field text, problem text)
language plpgsql
stable
as $$
begin
    return query
        select 409, k.name, 'belongs to EasyPost, whose next document would'
            || ' overwrite it; reference and extra_metadata are yours.'
        from jsonb_object_keys(p_patch) as k (name)
        where p_old.easypost_id is not null
            and k.name not in ('reference', 'extra_metadata')
        union all
        select 422, 'currency', 'is required with a cost.'
        where p_old.easypost_id is null
            and p_new.currency is null
            and num_nonnulls(p_new.base_cost, p_new.total_cost) > 0
        union all
        select 422, 'delivered_at', 'needs the status delivered.'
        where p_old.easypost_id is null
            and p_new.delivered_at is not null
            and p_new.status <> 'delivered'
        union all
        select 422, t.name, 'must lie between 1970 and tomorrow.'
        from unnest(array['purchased_at', 'delivered_at']) as t (name)
        where (p_patch ->> t.name)::timestamptz
            not between 'epoch' and now() + interval '1 day'
        union all
        select 422, 'extra_metadata', 'may have 64 KiB at most.'
        where octet_length(p_new.extra_metadata::text) > 65536
            and p_patch ? 'extra_metadata'
        order by 1 desc;
end
$$;
revoke all on function waybill.shipment_patch_problems(
    waybill.shipments, waybill.shipments, jsonb)
from public;
