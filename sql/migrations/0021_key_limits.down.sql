drop table waybill.spendings;
alter table waybill.api_keys drop constraint api_keys_spending_check;
alter table waybill.api_keys add constraint api_keys_spending_check
    check (daily_spending_limit >= 0);

alter table waybill.api_keys rename requests_per_minute to requests_per_second;
alter table waybill.api_keys drop constraint api_keys_requests_check;
update waybill.api_keys
set requests_per_second = ceil(requests_per_second / 60.0)
where requests_per_second is not null;
alter table waybill.api_keys add constraint api_keys_requests_check
    check (requests_per_second > 0);
