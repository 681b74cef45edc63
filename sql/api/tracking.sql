-- The newest tracker of a tracking code, if it is final or was heard of within
-- p_fresh_s seconds; p_fresh_s null: however old it is.  as_of: when EasyPost
-- last told.
create function api.tracking(
    p_code text, p_carrier text, p_mode text, p_fresh_s integer)
returns table (as_of timestamptz, age_seconds bigint, tracker json)
language sql
stable
begin atomic
    select k.recorded_at,
        greatest(date_part('epoch', now() - k.recorded_at), 0)::bigint,
        k.document
    from (
        select r.recorded_at, r.document, r.status, r.created_at
        from api.tracker_documents r
        where r.tracking_code = p_code
            and r.mode = p_mode
            and (p_carrier is null or lower(r.carrier) = lower(p_carrier))
        order by r.created_at desc
        limit 1) k
    where p_fresh_s is null
        or k.status in ('delivered', 'return_to_sender', 'failure',
            'cancelled')
        or k.recorded_at > now() - make_interval(secs => p_fresh_s);
end;
revoke all on function api.tracking(text, text, text, integer) from public;
grant execute on function api.tracking(text, text, text, integer)
to waybill_worker;
