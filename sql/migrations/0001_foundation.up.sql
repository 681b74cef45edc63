-- Foundation: time-ordered keys, and monthly partitions kept without help.
--
-- Everything later stands on these functions: column defaults use the keys,
-- partition bounds are keys, and the tables of the following migrations enter
-- themselves into partition_rules.

grant usage on schema waybill to waybill_reader;

-- A new UUIDv7: 48 bits of milliseconds, 12 bits of their fraction, so that
-- rows made in one millisecond still arrive in order; the rest is random.
create function waybill.uuid_generate_v7()
returns uuid
language sql
volatile
parallel safe
as $$
    select (lpad(to_hex(t.ticks >> 12), 12, '0')
            || '7' || lpad(to_hex(t.ticks & 4095), 3, '0')
            || substr(gen_random_uuid()::text, 20))::uuid
    from (select (date_part('epoch', clock_timestamp()) * 4096000)::bigint)
        as t (ticks)
$$;

-- The smallest UUIDv7 of an instant: the bound between two partitions.
create function waybill.uuid_first(p_at timestamptz)
returns uuid
language sql
immutable
strict
parallel safe
as $$
    select (lpad(to_hex((date_part('epoch', p_at) * 1000)::bigint), 12, '0')
            || '00000000000000000000')::uuid
$$;

-- The instant in a UUIDv7.
create function waybill.uuid_time(p_id uuid)
returns timestamptz
language sql
immutable
strict
parallel safe
as $$
    select to_timestamp(
        ('x' || left(replace(p_id::text, '-', ''), 12))::bit(48)::bigint
        / 1000.0)
$$;

-- The key of an object of EasyPost: its creation time, and 74 bits of a hash
-- of its id.  Two workers that see the same new object make the same key.  A
-- time that cannot be true would need partitions that nobody has: 2010 stands
-- for it.
-- Not in SQL: where that is not inlined it is planned anew with each call.
create function waybill.easypost_uuid(p_created_at timestamptz, p_id text)
returns uuid
language plpgsql
stable
parallel safe
as $$
declare
    v_hash text := md5(p_id);
    v_at timestamptz := timestamptz '2010-01-01 00:00:00+00';
begin
    if p_created_at > v_at and p_created_at < now() + interval '1 day' then
        v_at := p_created_at;
    end if;
    return (lpad(to_hex((date_part('epoch', v_at) * 1000)::bigint), 12, '0')
        || '7' || left(v_hash, 3)
        || translate(substr(v_hash, 4, 1), '0123456789abcdef',
            '89ab89ab89ab89ab')
        || substr(v_hash, 5, 15))::uuid;
end
$$;

create table waybill.partition_rules (
    parent text primary key,
    months_ahead integer not null default 6
        constraint partition_rules_months_ahead_check
        check (months_ahead between 1 and 60),
    keep_months integer
        constraint partition_rules_keep_months_check check (keep_months > 0),
    expiry text not null default 'drop'
        constraint partition_rules_expiry_check
        check (expiry in ('drop', 'detach')),
    first_month timestamptz
);
comment on table waybill.partition_rules is
    'One row for each table that is partitioned by month of its UUIDv7';
comment on column waybill.partition_rules.keep_months is
    'Whole months kept before the running one; null: for ever';
comment on column waybill.partition_rules.expiry is
    'What happens to an older month: dropped, or detached for the archive';
comment on column waybill.partition_rules.first_month is
    'Start of the first monthly partition; what is older lies in _history';

-- Makes one partition.  Made apart and attached, because attaching takes a
-- weaker lock than creating in place: readers and writers go on.
create function waybill.make_partition(
    p_parent text, p_name text, p_from uuid, p_to uuid)
returns void
language plpgsql
as $$
begin
    execute format('create table waybill.%I (like waybill.%I including all)',
        p_name, p_parent);
    execute format('alter table waybill.%I attach partition waybill.%I'
        || ' for values from (%s) to (%L)', p_parent, p_name,
        coalesce(quote_literal(p_from), 'minvalue'), p_to);
end
$$;

-- The partitions of a table, by the month in their names; null: the history.
create function waybill.partition_months(p_parent text)
returns table (name text, month timestamptz)
language sql
stable
as $$
    select c.relname::text,
        case when c.relname ~ '_[0-9]{4}_[0-9]{2}$'
            then (replace(right(c.relname, 7), '_', '-') || '-01')::timestamp
                at time zone 'UTC' end
    from pg_catalog.pg_inherits i
    join pg_catalog.pg_class c on c.oid = i.inhrelid
    where i.inhparent = to_regclass(format('waybill.%I', p_parent))
$$;

-- Takes one partition out; kept apart when it is not to be dropped, the
-- history under a name that says until when it goes.
create function waybill.retire_partition(
    p_parent text, p_name text, p_is_dropped boolean, p_first_month timestamptz)
returns void
language plpgsql
as $$
begin
    execute format('alter table waybill.%I detach partition waybill.%I',
        p_parent, p_name);
    if p_is_dropped then
        execute format('drop table waybill.%I', p_name);
    elsif p_name like '%\_history' then
        execute format('alter table waybill.%I rename to %I', p_name,
            p_name || to_char(p_first_month at time zone 'UTC',
                '_"until"_YYYY_MM_DD'));
    end if;
end
$$;

-- Makes what is missing: the history partition and each month up to
-- months_ahead.  Two at once are safe; tells what it made.
create function waybill.ensure_partitions()
returns table (parent text, partition text)
language plpgsql
security definer
set search_path = waybill, pg_temp
set timezone = 'UTC'
as $$
declare
    v_rule waybill.partition_rules;
    v_this_month timestamptz := date_trunc('month', now());
    v_month timestamptz;
begin
    perform pg_advisory_xact_lock(hashtext('waybill.partitions'));
    for v_rule in select r.* from waybill.partition_rules r order by r.parent
    loop
        parent := v_rule.parent;
        if v_rule.first_month is null then
            v_rule.first_month := v_this_month;
            update waybill.partition_rules r
            set first_month = v_this_month
            where r.parent = v_rule.parent;
            partition := v_rule.parent || '_history';
            perform waybill.make_partition(v_rule.parent, partition, null,
                waybill.uuid_first(v_this_month));
            return next;
        end if;
        v_month := coalesce((
            select max(m.month) + interval '1 month'
            from waybill.partition_months(v_rule.parent) m),
            v_rule.first_month);
        while v_month <= v_this_month
            + v_rule.months_ahead * interval '1 month'
        loop
            partition := v_rule.parent || to_char(v_month, '_YYYY_MM');
            perform waybill.make_partition(v_rule.parent, partition,
                waybill.uuid_first(v_month),
                waybill.uuid_first(v_month + interval '1 month'));
            return next;
            v_month := v_month + interval '1 month';
        end loop;
    end loop;
end
$$;

-- Drops or detaches the months that are older than their table's rule keeps,
-- and with them the history partition, in whose place an empty one takes what
-- still arrives from that time.  A table in use is left for the next time.
create function waybill.retire_partitions()
returns table (parent text, partition text, action text)
language plpgsql
security definer
set search_path = waybill, pg_temp
set timezone = 'UTC'
as $$
declare
    v_rule waybill.partition_rules;
    v_cutoff timestamptz;
begin
    perform pg_advisory_xact_lock(hashtext('waybill.partitions'));
    for v_rule in
        select r.*
        from waybill.partition_rules r
        where r.keep_months is not null
        order by r.parent
    loop
        v_cutoff := date_trunc('month', now())
            - v_rule.keep_months * interval '1 month';
        continue when v_cutoff <= v_rule.first_month;
        begin
            return query
                select v_rule.parent, p.name, case v_rule.expiry
                    when 'drop' then 'dropped' else 'detached' end
                from waybill.partition_months(v_rule.parent) p
                cross join lateral waybill.retire_partition(v_rule.parent,
                    p.name, v_rule.expiry = 'drop', v_rule.first_month)
                where p.month < v_cutoff
                    or p.month is null
                order by 2;
            perform waybill.make_partition(v_rule.parent,
                v_rule.parent || '_history', null,
                waybill.uuid_first(v_cutoff));
            update waybill.partition_rules r
            set first_month = v_cutoff
            where r.parent = v_rule.parent;
        exception
            when lock_not_available then
                null;
        end;
    end loop;
end
$$;

-- For down scripts: a parent goes with its rule and its partitions.
create function waybill.drop_partitioned(p_parent text)
returns void
language plpgsql
as $$
begin
    execute format('drop table waybill.%I', p_parent);
    delete from waybill.partition_rules r where r.parent = p_parent;
end
$$;

-- Large documents compress three times as fast with lz4, where it is built in.
create function waybill.compress_fast(p_table text, variadic p_columns text[])
returns void
language plpgsql
as $$
declare
    v_column text;
begin
    foreach v_column in array p_columns loop
        execute format('alter table waybill.%I alter column %I'
            || ' set compression lz4', p_table, v_column);
    end loop;
exception
    when feature_not_supported then
        null;
end
$$;

revoke all on function
    waybill.uuid_generate_v7(),
    waybill.uuid_first(timestamptz),
    waybill.uuid_time(uuid),
    waybill.easypost_uuid(timestamptz, text),
    waybill.make_partition(text, text, uuid, uuid),
    waybill.partition_months(text),
    waybill.retire_partition(text, text, boolean, timestamptz),
    waybill.ensure_partitions(),
    waybill.retire_partitions(),
    waybill.drop_partitioned(text),
    waybill.compress_fast(text, text[])
from public;
grant execute on function
    waybill.uuid_first(timestamptz),
    waybill.uuid_time(uuid)
to waybill_reader;
grant select on waybill.partition_rules to waybill_reader;
