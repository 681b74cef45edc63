-- Keeps how far the attempt p_id has come, for the one after it; the answer will
-- take its place.  is_noted: false when the claim is not this attempt's any more.
create function api.note_claim(p_id uuid, p_note text, out is_noted boolean)
language plpgsql
security definer
set search_path = waybill, pg_temp
as $$
begin
    update waybill.idempotency_claims c
    set response = convert_to(p_note, 'UTF8')
    where c.id = p_id
        and c.state = 'running';
    is_noted := found;
end
$$;
revoke all on function api.note_claim(uuid, text) from public;
grant execute on function api.note_claim(uuid, text) to waybill_worker;
