-- What has to be there before the first migration: the roles, the schema, and
-- the books that `waybill migrate` keeps.  Run before each deployment by the
-- connecting role, which owns the database and may create roles (or is a
-- superuser); changes nothing when all is there.

do $$
declare
    v_role text;
    v_how text := case
        when current_setting('server_version_num')::integer >= 160000
        then 'SET' else 'MEMBER' end;
begin
    foreach v_role in array array['waybill_owner', 'waybill_worker',
        'waybill_jobs', 'waybill_reader']
    loop
        begin
            if to_regrole(v_role) is null then
                execute format('create role %I nologin', v_role);
            end if;
            if not pg_has_role(session_user, v_role, v_how) then
                execute format('grant %I to %I', v_role, session_user);
            end if;
        exception
            when duplicate_object or unique_violation then
                null; -- somebody deploys into another database of the cluster
        end;
    end loop;
    -- For what is told of the server: waybill.sessions() and their like.  Who may
    -- not grant it (16 and later, no superuser) gets the rest of it.
    begin
        if not pg_has_role('waybill_owner', 'pg_read_all_stats', 'member') then
            grant pg_read_all_stats to waybill_owner;
        end if;
    exception
        when insufficient_privilege or unique_violation then
            null;
    end;
    if to_regnamespace('waybill') is null then
        create schema waybill authorization waybill_owner;
    end if;
    if not has_database_privilege('waybill_owner', current_database(),
        'create')
    then
        execute format('grant create on database %I to waybill_owner',
            current_database());
    end if;
    if not exists (
        select
        from pg_catalog.pg_db_role_setting s
        join pg_catalog.pg_database d on d.oid = s.setdatabase
        where d.datname = current_database()
            and s.setrole = 0
            and 'search_path=waybill, public' = any (s.setconfig))
    then
        execute format('alter database %I set search_path = waybill, public',
            current_database());
    end if;
end
$$;

set role waybill_owner;

create table if not exists waybill.migrations (
    version integer primary key,
    name text not null,
    sha256 text not null,
    applied_at timestamptz not null default now(),
    applied_by text not null default session_user,
    duration_ms integer not null
);

create table if not exists waybill.migration_history (
    id bigint generated always as identity primary key,
    at timestamptz not null default now(),
    direction text not null,
    version integer not null,
    name text not null,
    sha256 text not null,
    done_by text not null default session_user,
    duration_ms integer not null
);

-- The functions and views that were last put over the tables; one row or none.
create table if not exists waybill.schema_deployed (
    is_only boolean primary key default true check (is_only),
    sha256 text not null,
    schema_version integer not null,
    server_version integer not null,
    program_version text not null,
    objects text[] not null,
    deployed_at timestamptz not null default now(),
    deployed_by text not null default session_user
);

-- How everything was defined then, to see later what somebody changed by hand.
create table if not exists waybill.schema_objects (
    object text primary key,
    digest text not null
);

-- Waits for those who do the same; the lock ends with the transaction.  The
-- program holds it too, from its first to its last transaction.
create or replace function waybill.migration_lock()
returns void
language sql
set search_path = pg_catalog, pg_temp
as $$
    select pg_advisory_xact_lock(hashtextextended('waybill.migrate', 0))
$$;

create or replace function waybill.migration_version()
returns integer
language sql
stable
set search_path = pg_catalog, pg_temp
as $$
    select coalesce(max(m.version), 0) from waybill.migrations m
$$;

create or replace function waybill.migration_status()
returns table (version integer, name text, sha256 text)
language sql
stable
set search_path = pg_catalog, pg_temp
as $$
    select m.version, m.name, m.sha256
    from waybill.migrations m
    order by m.version
$$;

create or replace function waybill.migration_log()
returns table (at text, direction text, version text, name text,
    duration_ms integer, done_by text)
language sql
stable
set search_path = pg_catalog, pg_temp
as $$
    select to_char(h.at at time zone 'UTC', 'YYYY-MM-DD HH24:MI:SS'),
        h.direction, lpad(h.version::text, 4, '0'), h.name, h.duration_ms,
        h.done_by
    from waybill.migration_history h
    order by h.id
$$;

-- Takes away the functions and views of the last deployment.  What a table has
-- come to depend on stays, to be replaced in place.
create or replace function waybill.schema_undeploy()
returns void
language plpgsql
set search_path = pg_catalog, pg_temp
as $$
declare
    v_objects text[] := (select d.objects from waybill.schema_deployed d);
begin
    drop schema if exists api cascade;
    drop schema if exists admin cascade;
    for i in reverse coalesce(cardinality(v_objects), 0) .. 1 loop
        begin
            execute 'drop ' || v_objects[i];
        exception
            when dependent_objects_still_exist or undefined_object
                or undefined_function or undefined_table
            then
                null;
        end;
    end loop;
    delete from waybill.schema_deployed;
    delete from waybill.schema_objects;
end
$$;

-- The first step of a migration's transaction.
create or replace function waybill.migration_begin(
    p_version integer, p_direction text)
returns void
language plpgsql
set search_path = pg_catalog, pg_temp
as $$
declare
    v_current integer;
begin
    perform waybill.migration_lock();
    v_current := waybill.migration_version();
    if v_current <> p_version - (p_direction = 'up')::integer then
        raise sqlstate '55000' using message =
            format('the database is at version %s', v_current);
    end if;
    if p_direction = 'down' then
        perform waybill.schema_undeploy();
    end if;
end
$$;

-- The last step of a migration's transaction.
create or replace function waybill.migration_end(
    p_version integer, p_direction text, p_name text, p_sha256 text)
returns void
language plpgsql
set search_path = pg_catalog, pg_temp
as $$
declare
    v_took_ms integer :=
        date_part('epoch', clock_timestamp() - now()) * 1000;
begin
    if p_direction = 'up' then
        insert into waybill.migrations (version, name, sha256, duration_ms)
        values (p_version, p_name, p_sha256, v_took_ms);
    else
        delete from waybill.migrations m where m.version = p_version;
    end if;
    insert into waybill.migration_history (direction, version, name, sha256,
        duration_ms)
    values (p_direction, p_version, p_name, p_sha256, v_took_ms);
end
$$;

-- The first step of a deployment's transaction: schemas that are empty.
create or replace function waybill.schema_deploy_begin()
returns void
language plpgsql
set search_path = pg_catalog, pg_temp
as $$
begin
    perform waybill.migration_lock();
    perform waybill.schema_undeploy();
    create schema api;
    create schema admin;
end
$$;

-- How everything is defined now, but for partitions, which come and go.
create or replace function waybill.schema_definitions()
returns table (object text, definition text)
language sql
stable
set search_path = pg_catalog, pg_temp
as $$
    with spaces as (
        select n.oid from pg_namespace n
        where n.nspname in ('waybill', 'api', 'admin')),
    relations as (
        select c.oid, c.oid::regclass::text as name, c.relkind
        from pg_class c
        where c.relnamespace in (select s.oid from spaces s)
            and c.relkind in ('r', 'p', 'v', 'm')
            and not c.relispartition)
    select 'column ' || r.name || '.' || a.attname,
        format('%s %s %s %s', format_type(a.atttypid, a.atttypmod),
            a.attnotnull, a.attgenerated, pg_get_expr(d.adbin, d.adrelid))
    from relations r
    join pg_attribute a on a.attrelid = r.oid
    left join pg_attrdef d on d.adrelid = r.oid and d.adnum = a.attnum
    where a.attnum > 0
        and not a.attisdropped
        and r.relkind in ('r', 'p')
    union all
    select 'view ' || r.name, pg_get_viewdef(r.oid)
    from relations r
    where r.relkind in ('v', 'm')
    union all
    select 'constraint ' || k.conname || ' of ' || r.name,
        pg_get_constraintdef(k.oid)
    from relations r
    join pg_constraint k on k.conrelid = r.oid
    union all
    select 'index ' || i.indexrelid::regclass, pg_get_indexdef(i.indexrelid)
    from relations r
    join pg_index i on i.indrelid = r.oid
    union all
    select 'trigger ' || t.tgname || ' of ' || r.name, pg_get_triggerdef(t.oid)
    from relations r
    join pg_trigger t on t.tgrelid = r.oid
    where not t.tgisinternal
    union all
    select 'function ' || p.oid::regprocedure,
        case when p.prokind in ('f', 'p') then pg_get_functiondef(p.oid) end
    from pg_proc p
    where p.pronamespace in (select s.oid from spaces s)
$$;

-- The last step of a deployment's transaction.  What it made in the schema
-- waybill is what this transaction wrote into the catalogue, in its order.
create or replace function waybill.schema_deploy_end(
    p_sha256 text, p_program_version text)
returns void
language sql
set search_path = pg_catalog, pg_temp
as $$
    insert into waybill.schema_deployed (sha256, schema_version,
        server_version, program_version, objects)
    select p_sha256, waybill.migration_version(),
        current_setting('server_version_num')::integer / 10000,
        p_program_version, coalesce(array_agg(o.object order by o.oid), '{}')
    from (
        select p.oid, 'routine ' || p.oid::regprocedure as object
        from pg_proc p
        where p.pronamespace = 'waybill'::regnamespace
            and p.xmin = pg_current_xact_id()::xid
        union all
        select c.oid, 'view ' || c.oid::regclass
        from pg_class c
        join pg_rewrite w on w.ev_class = c.oid
        where c.relnamespace = 'waybill'::regnamespace
            and c.relkind = 'v'
            and w.xmin = pg_current_xact_id()::xid) o;

    insert into waybill.schema_objects (object, digest)
    select s.object, md5(coalesce(s.definition, ''))
    from waybill.schema_definitions() s
$$;

create or replace function waybill.schema_deployment()
returns table (sha256 text, schema_version integer, server_version integer,
    current_server_version integer, program_version text, deployed_at text)
language sql
stable
set search_path = pg_catalog, pg_temp
as $$
    select d.sha256, d.schema_version, d.server_version,
        current_setting('server_version_num')::integer / 10000,
        d.program_version,
        to_char(d.deployed_at at time zone 'UTC', 'YYYY-MM-DD HH24:MI:SS')
    from waybill.schema_deployed d
$$;

-- What is not as it was deployed.  Another major version of PostgreSQL writes
-- definitions in other words: nothing can be said until the next deployment.
create or replace function waybill.schema_differences()
returns table (difference text, object text)
language sql
stable
set search_path = pg_catalog, pg_temp
as $$
    select case
            when n.object is null then 'missing'
            when s.object is null then 'added'
            else 'changed' end,
        coalesce(s.object, n.object)
    from waybill.schema_definitions() n
    full join waybill.schema_objects s on s.object = n.object
    where (n.object is null or s.object is null
            or md5(coalesce(n.definition, '')) <> s.digest)
        and exists (
            select
            from waybill.schema_deployed d
            where d.server_version =
                current_setting('server_version_num')::integer / 10000)
    order by 1, 2
$$;

revoke all on function waybill.migration_lock(),
    waybill.migration_version(),
    waybill.migration_status(),
    waybill.migration_log(),
    waybill.migration_begin(integer, text),
    waybill.migration_end(integer, text, text, text),
    waybill.schema_undeploy(),
    waybill.schema_deploy_begin(),
    waybill.schema_definitions(),
    waybill.schema_deploy_end(text, text),
    waybill.schema_deployment(),
    waybill.schema_differences()
from public;

reset role;
