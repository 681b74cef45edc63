-- Begins a walk through a list of EasyPost's, or goes on with one that was cut
-- short: behind before_id.  begun_at: what came later is not its business.
create function admin.begin_walk(
    p_mode text, p_object text, p_since timestamptz, p_until timestamptz)
returns table (id uuid, before_id text, begun_at text, objects bigint)
language plpgsql
security definer
set search_path = waybill, pg_temp
set timezone = 'UTC'
as $$
begin
    insert into waybill.walks (mode, object, since, until)
    values (p_mode, p_object, p_since, p_until)
    on conflict do nothing;
    return query
        select w.id, w.before_id,
            to_char(w.begun_at + interval '1 second', 'YYYY-MM-DD"T"HH24:MI:SS"Z"'), w.objects
        from waybill.walks w
        where w.mode = p_mode
            and w.object = p_object
            and coalesce(w.since, '-infinity') = coalesce(p_since, '-infinity')
            and coalesce(w.until, 'infinity') = coalesce(p_until, 'infinity')
            and w.finished_at is null;
end
$$;
revoke all on function admin.begin_walk(
    text, text, timestamptz, timestamptz) from public;
grant execute on function admin.begin_walk(
    text, text, timestamptz, timestamptz) to waybill_jobs;
