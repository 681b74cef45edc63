-- Records again those of the documents that are not what their rows are made of, nor
-- older: one that could not be recorded once is passed over as known since.  Gives
-- the ids of those that cannot be.
create or replace function waybill.repair_objects(
    p_mode text, p_object text, p_elements jsonb[])
returns text[]
language plpgsql
as $$
declare
    v_failed text[] := array[]::text[];
    v_doc jsonb;
begin
    foreach v_doc in array p_elements loop
        continue when exists (
            select
            from waybill.known_objects(p_object, array[v_doc ->> 'id']) k
            cross join waybill.version_of(v_doc, 0) v
            where k.digest = v.digest
                or k.updated_at > v.updated_at);
        begin
            perform waybill.record_objects(array[v_doc], p_mode);
        exception
            when data_exception or integrity_constraint_violation
                or program_limit_exceeded then
                v_failed := array_append(v_failed, v_doc ->> 'id');
        end;
    end loop;
    return v_failed;
end
$$;
revoke all on function waybill.repair_objects(text, text, jsonb[])
from public;
