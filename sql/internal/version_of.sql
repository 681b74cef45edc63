-- The version of a document: the order in which documents of one object count.
-- updated_at decides; within a second the fuller one is the later one (the
-- rank of a state comes before the length); the digest breaks what ties remain,
-- so that every order of arrival ends with the same document.
create or replace function waybill.version_of(
    p_doc jsonb, p_rank integer,
    out created_at timestamptz, out updated_at timestamptz,
    out richness integer, out digest bigint)
language plpgsql
stable
as $$
declare
    v_text text := p_doc::text;
begin
    created_at := waybill.to_time(p_doc ->> 'created_at');
    updated_at := coalesce(waybill.to_time(p_doc ->> 'updated_at'),
        created_at, '2010-01-01 00:00:00+00');
    created_at := coalesce(created_at, updated_at);
    richness := least(p_rank, 200) * 10000000
        + least(octet_length(v_text), 9999999);
    digest := hashtextextended(v_text, 0);
end
$$;
revoke all on function waybill.version_of(jsonb, integer) from public;
