-- What was spent, a member for each currency: sums of different ones are none.
-- By arrays of the same length, in any order; parts of one currency are added.
create or replace function waybill.costs_json(
    p_currencies text[], p_costs numeric[], p_costed bigint[])
returns json
language plpgsql
immutable
parallel safe
as $$
begin
    return (
        select coalesce(json_agg(json_build_object('currency', c.currency,
                'total_cost', waybill.money_text(c.cost),
                'avg_cost', round(c.cost / c.costed, 4)::text,
                'cost_sample', c.costed)
            order by c.costed desc, c.currency), '[]')
        from (
            select nullif(u.currency, '') as currency, sum(u.cost) as cost,
                sum(u.costed) as costed
            from unnest(p_currencies, p_costs, p_costed)
                as u (currency, cost, costed)
            group by 1
            having sum(u.costed) > 0) c);
end
$$;
revoke all on function waybill.costs_json(text[], numeric[], bigint[])
from public;
