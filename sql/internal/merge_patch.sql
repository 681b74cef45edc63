-- A JSON document after a merge patch (RFC 7396).  The depth is bounded by what
-- could be read from outside.
create or replace function waybill.merge_patch(p_target jsonb, p_patch jsonb)
returns jsonb
language plpgsql
immutable
as $$
declare
    v_target jsonb := case jsonb_typeof(p_target)
        when 'object' then p_target else '{}' end;
    v_member record;
begin
    if jsonb_typeof(p_patch) is distinct from 'object' then
        return p_patch;
    end if;
    for v_member in select m.key, m.value from jsonb_each(p_patch) m loop
        v_target := case jsonb_typeof(v_member.value)
            when 'null' then v_target - v_member.key
            else v_target || jsonb_build_object(v_member.key,
                waybill.merge_patch(v_target -> v_member.key,
                    v_member.value)) end;
    end loop;
    return v_target;
end
$$;
revoke all on function waybill.merge_patch(jsonb, jsonb) from public;
