-- How often a key may ask is said by the minute, which leaves room for less than one
-- a second.  Nothing has read the column before.
alter table waybill.api_keys rename requests_per_second to requests_per_minute;
alter table waybill.api_keys drop constraint api_keys_requests_check;
update waybill.api_keys
set requests_per_minute = least(requests_per_minute, 16666) * 60
where requests_per_minute is not null;
alter table waybill.api_keys add constraint api_keys_requests_check
    check (requests_per_minute between 1 and 1000000);
