-- The first step of a rebuild, in which the raw documents and events are applied
-- again: takes from the rows of a table (admin.rebuilt_tables) their claim to be
-- the fullest of their second, so that the documents which made them count again.
-- What is right stays as it is, what people wrote is left alone, and nobody reads
-- anything older meanwhile.  Called with the last id of the call before, until
-- there is none.  Waits for a row while it holds no other, so that whoever writes the
-- same rows in another order never waits in a circle.
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
        'with head as materialized (
            select t.id
            from waybill.%1$I t
            where t.id > $1
            order by t.id
            limit 1
            for no key update),
        rest as materialized (
            select t.id
            from waybill.%1$I t
            where t.id > (select h.id from head h)
            order by t.id
            limit $2 - 1
            for no key update skip locked),
        part as (
            select h.id from head h union all select r.id from rest r),
        held as ( -- by somebody else: the next call begins with it
            select t.id
            from waybill.%1$I t
            where t.id > (select h.id from head h)
                and t.id <= (select p.id from part p order by p.id desc limit 1)
                and t.id not in (select p.id from part p)
            order by t.id
            limit 1),
        mine as (
            select p.id
            from part p
            where not exists (select from held h where h.id < p.id)),
        reset as (
            update waybill.%1$I t
            set doc_richness = -1,
                doc_digest = 0
            from mine m
            where t.id = m.id
                and t.doc_updated_at > ''-infinity''
            returning 1)
        select (select m.id from mine m order by m.id desc limit 1),
            (select count(*) from mine)', p_table)
    into last, done
    using p_after, p_limit;
    return next;
end
$$;
revoke all on function admin.rebuild_rows(text, uuid, integer) from public;
grant execute on function admin.rebuild_rows(text, uuid, integer)
to waybill_jobs;
