-- What an item without EasyPost's own word is told.
create or replace function waybill.bulk_error(p_state text)
returns json
language sql
immutable
parallel safe
as $$
    select json_build_object('code', e.code, 'message', e.message,
        'errors', '[]'::json)
    from (values
        ('failed', 'UPSTREAM.REFUSED',
            'EasyPost refused the shipment without a word why.'),
        ('in_doubt', 'UPSTREAM.IN_DOUBT',
            'No whole answer came from EasyPost. The shipment may have been '
            'made: look it up before sending it again.'),
        ('cancelled', 'BULK.NOT_SENT',
            'The bulk call was cancelled before this item was sent.'),
        ('key', 'BULK.NOT_SENT',
            'Not sent: the key of the bulk call was revoked or has expired.'),
        ('limit', 'KEY.PRICE_UNKNOWN',
            'Not sent: the key of the bulk call has a daily spending limit, '
            'and nobody knows the price before.'))
        as e (state, code, message)
    where e.state = p_state
$$;
revoke all on function waybill.bulk_error(text) from public;
