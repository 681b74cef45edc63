-- The first step of a rebuild, in which the raw documents and events are applied
-- again: takes from the rows of a table (admin.rebuilt_tables) their claim to be
-- the fullest of their second, so that the documents which made them count again.
-- What is right stays as it is, what people wrote is left alone, and nobody reads
-- anything older meanwhile.  Called with the last id of the call before, until
-- there is none.
create function admin.rebuild_rows(p_table text, p_after uuid, p_limit integer)
returns table (last uuid, done bigint)
language plpgsql
security definer
set search_path = waybill, pg_temp
as $$
begin
    if not exists (
        select from admin.rebuilt_tables() t
        where t.name = p_table)
    then
        raise exception 'no such table: %', p_table using errcode = '22023';
    end if;
    execute format(
        'with part as (
            select t.id
            from waybill.%1$I t
            where t.id > $1
            order by t.id
            limit $2),
        reset as (
            update waybill.%1$I t
            set doc_richness = -1,
                doc_digest = 0
            from part p
            where t.id = p.id
                and t.doc_updated_at > ''-infinity''
            returning 1)
        select (select p.id from part p order by p.id desc limit 1),
            (select count(*) from part)', p_table)
    into last, done
    using p_after, p_limit;
    return next;
end
$$;
revoke all on function admin.rebuild_rows(text, uuid, integer) from public;
grant execute on function admin.rebuild_rows(text, uuid, integer)
to waybill_jobs;
