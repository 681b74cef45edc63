-- What was paid for a thing (its name begins with what was done: buy, insure, ...), by
-- EasyPost's document of it: its fees, or those of its shipments; of what was insured
-- anew the last one, and of an insurance its only one.  Null: it does not tell.
create or replace function waybill.paid_fees(p_thing text, p_doc jsonb)
returns numeric
language sql
immutable
as $$
    select greatest(0, case when p_thing like 'insure %'
            then (array_agg(f.amount order by f.place desc)
                filter (where f.type = 'InsuranceFee'))[1]
            else sum(f.amount) end)
    from (
        select e.type, e.amount, row_number() over () as place
        from (
            select waybill.fees_json(p_doc -> 'fees') as fees
            union all
            select waybill.fees_json(jsonb_build_array(p_doc -> 'fee'))
            where jsonb_typeof(p_doc -> 'fee') = 'object'
            union all
            select waybill.fees_json(s.value -> 'fees')
            from jsonb_array_elements(case
                when jsonb_typeof(p_doc -> 'shipments') = 'array'
                then p_doc -> 'shipments' else '[]' end) s) d
        cross join jsonb_to_recordset(d.fees) as e (type text,
            amount numeric)) f
$$;
revoke all on function waybill.paid_fees(text, jsonb) from public;
