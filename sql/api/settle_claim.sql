-- Ends the attempt p_id.  p_state: done (with its answer, but for one that may hold
-- a secret: it is not kept); in_doubt; none (it had no effect, so that the key may
-- be used again).
create function api.settle_claim(
    p_id uuid, p_state text, p_status integer, p_answer bytea)
returns void
language plpgsql
security definer
set search_path = waybill, pg_temp
as $$
begin
    if p_state = 'none' then
        delete from waybill.idempotency_claims c
        where c.id = p_id;
    else
        update waybill.idempotency_claims c
        set state = p_state, status_code = p_status,
            response = case when p_state <> 'done'
                    or not waybill.has_secrets(c.path, null,
                        encode(p_answer, 'escape'))
                then coalesce(p_answer, c.response) end,
            finished_at = now()
        where c.id = p_id;
    end if;
end
$$;
revoke all on function api.settle_claim(uuid, text, integer, bytea)
from public;
grant execute on function api.settle_claim(uuid, text, integer, bytea)
to waybill_worker;
