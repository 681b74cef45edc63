-- How far a batch has come: the later state of two within the same second.
create or replace function waybill.batch_rank(p_state text)
returns integer
language sql
immutable
parallel safe
as $$
    select case p_state
        when 'creating' then 0
        when 'created' then 1
        when 'creation_failed' then 1
        when 'queued_for_purchase' then 2
        when 'purchasing' then 3
        when 'purchased' then 4
        when 'purchase_failed' then 4
        when 'label_generating' then 5
        when 'label_generated' then 6
        else 7 end
$$;
revoke all on function waybill.batch_rank(text) from public;
