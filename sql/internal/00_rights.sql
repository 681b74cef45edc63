-- Schemas api and admin are made anew with every deployment; who may use them
-- is said here, before anything is put into them.  The tables stay out of
-- reach: workers and jobs have no right on the schema waybill.
grant usage on schema api to waybill_worker, waybill_jobs;
grant usage on schema admin to waybill_jobs;

-- The files come in the order of their names, so a function may call one that
-- is not there yet.
set local check_function_bodies = off;
