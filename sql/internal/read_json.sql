-- Bytes from outside as text and as jsonb.  text is null when they are not
-- UTF-8 (or hold a zero byte); doc is null when PostgreSQL cannot take them:
-- not JSON, \u0000, a lone surrogate, a number out of range, too deep.
create or replace function waybill.read_json(
    p_body bytea, out body text, out doc jsonb, out flaw text)
language plpgsql
immutable
as $$
begin
    body := convert_from(p_body, 'UTF8');
    doc := body::jsonb;
exception
    when data_exception or program_limit_exceeded then
        flaw := sqlerrm;
        doc := null;
end
$$;
revoke all on function waybill.read_json(bytea) from public;
