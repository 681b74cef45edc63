-- An instant from EasyPost's text: "...Z", "...+00:00", with a fraction, a bare
-- date, or without a zone (read as UTC, which the caller sets).  Null for
-- anything else, also for days that do not exist.
create or replace function waybill.to_time(p_value text)
returns timestamptz
language sql
stable
parallel safe
as $$
    select case when p_value ~ ('^(19|20)[0-9]{2}-(0[1-9]|1[0-2])'
            || '-(0[1-9]|[12][0-9]|3[01])'
            || '([T ]([01][0-9]|2[0-3]):[0-5][0-9]'
            || '(:[0-5][0-9]([.][0-9]{1,20})?)?'
            || '(Z|[+-](0[0-9]|1[0-4]):?[0-5][0-9])?)?$')
        then case when substr(p_value, 9, 2) < '29'
                or substr(p_value, 9, 2)::integer <= date_part('day',
                    (left(p_value, 7) || '-01')::timestamp
                    + interval '1 month - 1 day')
            then p_value::timestamptz end
        end
$$;
revoke all on function waybill.to_time(text) from public;
