-- Records one page of a walk and how far it has come, together.  p_last: the id
-- of its last object; null: there was none.
create function admin.record_walk(
    p_id uuid, p_path text, p_query text, p_body bytea, p_mode text,
    p_last text, p_count integer, p_is_end boolean)
returns void
language plpgsql
security definer
set search_path = waybill, pg_temp
as $$
begin
    perform api.record_answer('GET', p_path, p_query, 200, p_body, p_mode,
        null);
    update waybill.walks w
    set before_id = coalesce(p_last, w.before_id),
        pages = w.pages + 1,
        objects = w.objects + p_count,
        updated_at = now(),
        finished_at = case when p_is_end then now() end
    where w.id = p_id
        and w.finished_at is null
        -- a page that comes again counts once
        and (p_last is null or w.before_id is distinct from p_last);
end
$$;
revoke all on function admin.record_walk(
    uuid, text, text, bytea, text, text, integer, boolean) from public;
grant execute on function admin.record_walk(
    uuid, text, text, bytea, text, text, integer, boolean) to waybill_jobs;
