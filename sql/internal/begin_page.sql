-- False when this page was added to the ledger last: its call was made again,
-- because the connection broke behind its commit.
create or replace function waybill.begin_page(
    p_mode text, p_object text, p_page text)
returns boolean
language plpgsql
as $$
begin
    update waybill.reconciliation_ledger l
    set last_page = p_page
    where l.mode = p_mode
        and l.object = p_object
        and l.day = (
            select max(m.day)
            from waybill.reconciliation_ledger m
            where m.mode = p_mode
                and m.object = p_object)
        and l.last_page is distinct from p_page;
    return found;
end
$$;
revoke all on function waybill.begin_page(text, text, text) from public;
