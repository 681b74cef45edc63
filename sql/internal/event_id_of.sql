-- The evt_ id in an event that jsonb cannot take, so that it is kept and counts
-- once; null: this is no event.  A body that is no JSON at all is none.
create or replace function waybill.event_id_of(p_body bytea)
returns text
language plpgsql
immutable
as $$
declare
    v_text text;
begin
    v_text := convert_from(p_body, 'LATIN1');
    begin
        perform v_text::json;
    exception
        when program_limit_exceeded then
            null;
    end;
    if ltrim(v_text, e' \t\r\n') like '{%' then
        return substring(v_text from
            '"id"[ \t\r\n]*:[ \t\r\n]*"(evt_[A-Za-z0-9_-]{1,190})"');
    end if;
    return null;
exception
    when data_exception then
        return null;
end
$$;
revoke all on function waybill.event_id_of(bytea) from public;
