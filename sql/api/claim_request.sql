-- Claims a request for its Idempotency-Key, or tells what became of it.  p_id is
-- the attempt's own: who asks twice with it is told the same twice.
-- outcome: new; in_doubt (go on, but an earlier attempt may have had its effect:
-- ask EasyPost first; note is how far it came); running (by another attempt);
-- done (with status_code and answer); other (the key is another request's).
create function api.claim_request(
    p_id uuid, p_caller text, p_key text, p_method text, p_path text,
    p_sha256 bytea, out outcome text, out status_code integer,
    out answer text, out note text)
language plpgsql
security definer
set search_path = waybill, pg_temp
as $$
declare
    -- a worker is killed after 55 seconds, and its request with it
    v_longest constant interval := interval '60 seconds';
    v_claim record;
begin
    delete from waybill.idempotency_claims c
    where c.caller = p_caller
        and c.idempotency_key = p_key
        and c.expires_at <= now();
    delete from waybill.idempotency_claims c
    where c.id in (
        select e.id
        from waybill.idempotency_claims e
        where e.expires_at <= now()
        limit 20
        for update skip locked);
    insert into waybill.idempotency_claims (id, caller, idempotency_key,
        method, path, request_sha256)
    values (p_id, p_caller, p_key, p_method, p_path, p_sha256)
    on conflict (caller, idempotency_key) do nothing;
    select c.id, c.request_sha256, c.state, c.status_code, c.response,
        c.created_at, c.finished_at
    into v_claim
    from waybill.idempotency_claims c
    where c.caller = p_caller
        and c.idempotency_key = p_key
    for update;
    outcome := case
        when v_claim.id is null then 'running' -- just given up: ask again
        when v_claim.request_sha256 <> p_sha256 then 'other'
        when v_claim.state = 'done' then 'done'
        when v_claim.id = p_id and v_claim.finished_at is null then 'new'
        when v_claim.id = p_id or v_claim.state = 'in_doubt'
            or v_claim.created_at < now() - v_longest then 'in_doubt'
        else 'running' end;
    if outcome = 'done' then
        status_code := v_claim.status_code;
        answer := convert_from(v_claim.response, 'UTF8');
    elsif outcome = 'in_doubt' then
        note := convert_from(v_claim.response, 'UTF8');
        update waybill.idempotency_claims c
        set id = p_id, state = 'running', created_at = now(),
            finished_at = now(), expires_at = now() + interval '24 hours'
        where c.id = v_claim.id;
    end if;
end
$$;
revoke all on function api.claim_request(
    uuid, text, text, text, text, bytea) from public;
grant execute on function api.claim_request(
    uuid, text, text, text, text, bytea) to waybill_worker;
