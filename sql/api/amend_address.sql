-- Changes a person's own address: the fields of p_patch, which were checked.
-- No row: there is no such address; a row with a status: why nothing changed.
create function api.amend_address(
    p_ref text, p_patch jsonb, p_mode text, p_actor text, p_request_id text)
returns table (id uuid, status integer, field text, problem text)
language plpgsql
security definer
set search_path = waybill, pg_temp
set plan_cache_mode = force_generic_plan
set enable_seqscan = off
as $$
declare
    v_id uuid := waybill.find_address(p_ref);
    v_old waybill.addresses;
    v_new waybill.addresses;
begin
    perform from waybill.addresses a
    where a.id = v_id
        and a.deleted_at is null
    for no key update;
    if not found then
        return;
    end if;
    -- the lock first, the look after it: two patches at once both count
    v_old := (select a from waybill.addresses a where a.id = v_id);
    v_new := jsonb_populate_record(v_old, p_patch);
    status := 403;
    problem := waybill.foreign_mode(v_old.mode, p_mode);
    if problem is null and v_old.easypost_id is not null then
        status := 409;
        problem := 'This address belongs to EasyPost, where addresses never'
            || ' change: make another one.';
    elsif problem is null and num_nonnulls(v_new.name, v_new.company) = 0 then
        status := 422;
        field := 'name';
        problem := 'is required where there is no company.';
    end if;
    id := v_id;
    if problem is null then
        status := null;
        perform waybill.begin_change(p_actor, p_request_id);
        perform waybill.update_own_address(v_new);
    end if;
    return next;
end
$$;
revoke all on function api.amend_address(text, jsonb, text, text, text)
from public;
grant execute on function api.amend_address(text, jsonb, text, text, text)
to waybill_worker;
