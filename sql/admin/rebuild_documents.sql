-- The second step of a rebuild: records documents again, behind p_after.  failed:
-- those that cannot be, now with their flaw.
create function admin.rebuild_documents(p_after bytea, p_limit integer)
returns table (last bytea, done bigint, failed bigint)
language plpgsql
security definer
set search_path = waybill, pg_temp
set timezone = 'UTC'
set plan_cache_mode = force_generic_plan
set enable_seqscan = off
as $$
declare
    v record;
    v_flaw text;
begin
    done := 0;
    failed := 0;
    for v in
        select d.digest, d.body, d.mode, d.flaw, d.received_at
        from waybill.documents d
        where d.digest > p_after
        order by d.digest
        limit p_limit
    loop
        last := v.digest;
        done := done + 1;
        continue when v.body is null;
        perform set_config('waybill.heard_at', v.received_at::text, true);
        v_flaw := null;
        begin
            perform waybill.record_objects(array[v.body::jsonb], v.mode);
        exception
            when data_exception or integrity_constraint_violation
                or program_limit_exceeded then
                v_flaw := sqlerrm;
                failed := failed + 1;
        end;
        if v_flaw is distinct from v.flaw then
            update waybill.documents d
            set flaw = v_flaw
            where d.digest = v.digest;
        end if;
    end loop;
    return next;
end
$$;
revoke all on function admin.rebuild_documents(bytea, integer) from public;
grant execute on function admin.rebuild_documents(bytea, integer)
to waybill_jobs;
