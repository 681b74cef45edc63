-- The documents in an answer, each as its own bytes.  An answer with an object
-- key (or an id) is one document; else it is a list or a wrapper, and what lies
-- one level below counts, if anything there is an object of EasyPost.
create or replace function waybill.list_elements(p_body json)
returns setof text
language plpgsql
immutable
as $$
begin
    if json_typeof(p_body) = 'array' then
        return query
            select e.value::text
            from json_array_elements(p_body) e
            where json_typeof(e.value) = 'object';
    elsif json_typeof(p_body) = 'object' then
        return query
            select e.value::text
            from json_each(p_body) f
            cross join lateral json_array_elements(
                case json_typeof(f.value)
                    when 'array' then f.value
                    when 'object' then json_build_array(f.value) end) e
            where json_typeof(e.value) = 'object'
                and e.value ->> 'object' is not null;
    end if;
end
$$;
revoke all on function waybill.list_elements(json) from public;
