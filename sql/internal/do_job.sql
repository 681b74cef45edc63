-- Does one job of the queue; an exception says that it failed.
create or replace function waybill.do_job(p_kind text, p_payload jsonb)
returns void
language plpgsql
as $$
declare
    v record;
begin
    case p_kind
    when 'replay_event' then
        select r.state, r.error into v
        from waybill.replay_event((p_payload ->> 'id')::uuid) r;
        if v.state = 'failed' then
            raise exception '%', v.error using errcode = 'PT500';
        end if;
    else
        raise exception 'there is no kind of job %', p_kind
            using errcode = 'PT500';
    end case;
end
$$;
revoke all on function waybill.do_job(text, jsonb) from public;
