-- A text without the users and passwords in the web addresses in it.
create or replace function waybill.blank_urls(p_text text)
returns text
language sql
immutable
parallel safe
as $$
    select case when strpos(p_text, '@') > 0
        then regexp_replace(p_text, '://[^][/@?#"<>{}|\\^`[:space:]]*@', '://',
            'g')
        else p_text end
$$;
revoke all on function waybill.blank_urls(text) from public;
