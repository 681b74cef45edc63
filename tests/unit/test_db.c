/*
 * One connection: whatever the server does and whichever call fails, a call ends
 * in time, gives no row twice, and the next one is served.
 */
#include "shared/clock.h"
#include "shared/db.h"
#include "shared/log.h"
#include "tests/unit/ending.h"
#include "tests/unit/fake_postgres.h"
#include "tests/unit/faults.h"

#include <libpq-fe.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

enum { SOON_MS = 300, LATE_MS = 5000 };

/* clang-format off */
FAULTY(PGconn *, PQconnectStartParams, NULL,
    (const char *const *keys, const char *const *values, int expand),
    (keys, values, expand))
FAULTY(int, PQsetnonblocking, -1, (PGconn *conn, int is_on), (conn, is_on))
FAULTY(int, PQsocket, -1, (const PGconn *conn), (conn))
FAULTY(int, PQconsumeInput, 0, (PGconn *conn), (conn))
/* 1: not all could be sent yet. */
FAULTY(int, PQflush, fault.error, (PGconn *conn), (conn))
FAULTY(int, PQsendQuery, 0, (PGconn *conn, const char *sql), (conn, sql))
FAULTY(int, PQsendPrepare, 0,
    (PGconn *conn, const char *name, const char *sql, int count,
    const Oid *types),
    (conn, name, sql, count, types))
FAULTY(int, PQsendQueryParams, 0,
    (PGconn *conn, const char *sql, int count, const Oid *types,
    const char *const *data, const int *bytes, const int *formats, int format),
    (conn, sql, count, types, data, bytes, formats, format))
FAULTY(int, PQsendQueryPrepared, 0,
    (PGconn *conn, const char *name, int count, const char *const *data,
    const int *bytes, const int *formats, int format),
    (conn, name, count, data, bytes, formats, format))
/* clang-format on */

static bool is_never_silent; /* a look finds something to read, always */

int __real_poll(struct pollfd *fds, nfds_t count, int limit_ms);
int __wrap_poll(struct pollfd *fds, nfds_t count, int limit_ms);

int
__wrap_poll(struct pollfd *fds, nfds_t count, int limit_ms)
{
	if (fault_is_now("poll")) /* 0: nothing yet */
		return fault.error == 0 ? 0 : -1;
	if (is_never_silent && limit_ms == 0)
		return 1;
	return __real_poll(fds, count, limit_ms);
}

/* What is tried: calls that fail, and how. */
static const struct {
	const char *call;
	int error;
} faults[] = {
	{ "PQsetnonblocking", 0 },
	{ "PQsocket", 0 },
	{ "PQconsumeInput", 0 },
	{ "PQflush", -1 },
	{ "PQflush", 1 },
	{ "PQsendQuery", 0 },
	{ "PQsendPrepare", 0 },
	{ "PQsendQueryParams", 0 },
	{ "PQsendQueryPrepared", 0 },
	{ "poll", 0 },
	{ "poll", EINTR },
	{ "poll", ENOMEM },
};

enum { FAULTS = sizeof(faults) / sizeof(faults[0]) };

static char url[128];

static int
start(void **state)
{
	(void)state;
	log_set_priority(LOG_CRITICAL);
	fake_start();
	(void)snprintf(url, sizeof(url),
	    "host=%s port=5432 user=somebody dbname=some password=s3cret",
	    fake->directory);
	return 0;
}

static int
stop(void **state)
{
	(void)state;
	fake_stop();
	return 0;
}

/* Handles live as long as the process: reachable, so that none is a leak. */
static struct db *handles[256];

static struct db *
new_db(const char *to)
{
	static int count;

	const struct db_options options = { .url = to,
		.name = "test_db",
		.connect_ms = LATE_MS,
		.statement_ms = LATE_MS };

	assert_true(count < (int)(sizeof(handles) / sizeof(*handles)));
	handles[count] = db_new(&options);
	return handles[count++];
}

/* What was given out. */
struct given {
	int rows;
	int headers;
	int most; /* then it wants no more; 0: all of them */
};

static bool
take_row(void *context, const struct db_row *row)
{
	struct given *given = context;
	size_t bytes;

	given->rows++;
	assert_int_equal(db_columns(row), 2);
	assert_string_equal(db_column_name(row, 0), "n");
	assert_int_equal(db_column_kind(row, 0), DB_NUMBER);
	assert_int_equal(*db_column(row, 0, &bytes), '0' + given->rows);
	assert_int_equal(bytes, 1);
	if (given->rows < FAKE_ROWS) {
		/* Null is null, and so is what is no number. */
		assert_null(db_column(row, 1, &bytes));
		assert_int_equal(bytes, 0);
		assert_null(db_column(row, 1, NULL));
	} else
		assert_string_equal(db_column(row, 1, NULL), "x");
	return given->rows != given->most;
}

static bool
take_header(void *context, const struct db_row *row)
{
	struct given *given = context;

	given->headers++;
	assert_string_equal(db_column_name(row, 1), "value");
	return given->headers != given->most;
}

static struct db_call
make_call(void)
{
	static struct db_value values[2];

	values[0] = db_text("text");
	values[1] = db_bytes(NULL, 0);
	return (struct db_call){ .function = "api.some",
		.values = values,
		.count = 2,
		.no_row = take_header,
		.deadline_ms = clock_ms() + LATE_MS };
}

static enum db_status
call(struct db *db, struct given *given)
{
	const struct db_call one = make_call();

	*given = (struct given){ .most = given->most };
	return db_call(db, &one, take_row, given);
}

/* It serves, on the connection that it has or on a new one. */
static void
assert_serves(struct db *db)
{
	struct given given = { 0 };
	int64_t until_ms = clock_ms() + LATE_MS;

	/* After a connection that could not be made it rests. */
	while (call(db, &given) != DB_OK) {
		assert_string_equal(
		    db_error(db)->message, "it was away a moment ago");
		assert_true(clock_ms() < until_ms);
		clock_wait_until(clock_ms() + 10);
	}
	assert_int_equal(given.rows, FAKE_ROWS);
	assert_true(db_is_connected(db));
}

static void
rows_come_one_by_one(void **state)
{
	struct db *db = new_db(url);
	struct given given = { 0 };

	(void)state;
	assert_false(db_is_connected(db));
	fake_do(FAKE_ANSWER, 0, "");
	assert_int_equal(call(db, &given), DB_OK);
	assert_int_equal(given.rows, FAKE_ROWS);
	assert_int_equal(given.headers, 0);
	fake_do(FAKE_NO_ROW, 1, "");
	assert_int_equal(call(db, &given), DB_OK);
	assert_int_equal(given.rows, 0);
	assert_int_equal(given.headers, 1);
	assert_int_equal(fake->connections, 0); /* it is kept */
	assert_true(db_spent_us(db) > 0);
	db_forget_spent(db);
	assert_int_equal(db_spent_us(db), 0);
	db_close(db);
	db_close(db);
	assert_false(db_is_connected(db));
}

static void
whoever_wants_no_more_gets_no_more(void **state)
{
	struct db *db = new_db(url);
	struct given given = { .most = 2 };

	(void)state;
	fake_do(FAKE_ANSWER, 0, "");
	assert_int_equal(call(db, &given), DB_STOPPED);
	assert_int_equal(given.rows, 2);
	given.most = 1;
	fake_do(FAKE_NO_ROW, 1, "");
	assert_int_equal(call(db, &given), DB_STOPPED);
	assert_int_equal(given.headers, 1);
	assert_int_equal(fake->executed, 1); /* not once more */
	assert_serves(db);
	db_close(db);
}

static void
a_call_ends_well_whichever_of_its_calls_fails(void **state)
{
	struct db *db = new_db(url);
	int failed = 0;

	(void)state;
	for (int is_kept = 0; is_kept < 2; is_kept++)
		for (int i = 0; i < FAULTS; i++)
			for (int nth = 1;; nth++) {
				struct given given = { 0 };
				enum db_status status;

				fake_do(FAKE_ANSWER, 0, "");
				if (!is_kept)
					db_close(db);
				assert_true(is_kept <= db_is_connected(db));
				fault_arm(faults[i].call, nth, faults[i].error);
				status = call(db, &given);
				if (!fault_disarm()) {
					assert_int_equal(status, DB_OK);
					assert_serves(db);
					break;
				}
				failed++;
				assert_in_range(given.rows, 0, FAKE_ROWS);
				if (status == DB_OK)
					assert_int_equal(given.rows, FAKE_ROWS);
				else
					assert_int_equal(status, DB_AWAY);
				assert_serves(db);
			}
	assert_true(failed > 30);
	db_close(db);
}

static void
a_script_ends_well_whichever_of_its_calls_fails(void **state)
{
	struct db *db = new_db(url);

	(void)state;
	for (int i = 0; i < FAULTS; i++)
		for (int nth = 1;; nth++) {
			struct given given = { 0 };
			enum db_status status;

			fake_do(FAKE_ANSWER, 0, "");
			fault_arm(faults[i].call, nth, faults[i].error);
			status = db_script(db, "select", clock_ms() + LATE_MS,
			    take_row, &given);
			assert_in_range(fake->executed, 0, 1);
			if (status == DB_OK)
				assert_int_equal(given.rows, FAKE_ROWS);
			else
				assert_int_equal(status, DB_AWAY);
			if (!fault_disarm()) {
				assert_int_equal(status, DB_OK);
				break;
			}
			assert_serves(db);
		}
	db_close(db);
}

/* How the server may end it, and what comes of it. */
static void
a_server_may_do_anything(void **state)
{
	static const struct {
		enum fake_deed deed;
		const char *code;
		bool is_read;
		enum db_status status;
		int rows;
		int executed;
		const char *sqlstate;
	} deeds[] = {
		{ FAKE_REFUSE, "23514", false, DB_REFUSED, 0, 1, "23514" },
		{ FAKE_REFUSE, "22003", false, DB_REFUSED, 0, 1, "22003" },
		{ FAKE_REFUSE_BARE, "", false, DB_REFUSED, 0, 1, "" },
		{ FAKE_REFUSE_OPEN, "23514", false, DB_REFUSED, 0, 1, "23514" },
		{ FAKE_REFUSE, "25006", true, DB_REFUSED, 0, 1, "25006" },
		/* Once more helps. */
		{ FAKE_REFUSE, "25006", false, DB_OK, FAKE_ROWS, 2, "25006" },
		{ FAKE_REFUSE, "40001", false, DB_OK, FAKE_ROWS, 2, "40001" },
		{ FAKE_REFUSE, "0A000", false, DB_OK, FAKE_ROWS, 2, "0A000" },
		{ FAKE_REFUSE_OPEN, "0A000", false, DB_OK, FAKE_ROWS, 2,
		    "0A000" },
		{ FAKE_REFUSE_AND_END, "23514", false, DB_OK, FAKE_ROWS, 2,
		    "23514" },
		{ FAKE_END, "", false, DB_OK, FAKE_ROWS, 2, "57P01" },
		{ FAKE_RAVE, "", false, DB_OK, FAKE_ROWS, 2, "" },
		/* A row was given: never again. */
		{ FAKE_BREAK, "", false, DB_AWAY, 1, 1, "" },
		/* Nothing is amiss yet. */
		{ FAKE_NOTICES, "", false, DB_OK, FAKE_ROWS, 1, "" },
	};

	(void)state;
	for (size_t i = 0; i < sizeof(deeds) / sizeof(*deeds); i++)
		for (int plan_each = 0; plan_each < 2; plan_each++) {
			struct db *db = new_db(url);
			struct given given = { 0 };
			struct db_call one = make_call();
			enum db_status status;

			one.plan_each = plan_each;
			one.is_read = deeds[i].is_read;
			fake_do(deeds[i].deed, 1, deeds[i].code);
			status = db_call(db, &one, take_row, &given);
			if (status != deeds[i].status)
				fail_msg("deed %zu: %d", i, status);
			assert_int_equal(given.rows, deeds[i].rows);
			assert_int_equal(fake->executed, deeds[i].executed);
			if (deeds[i].status != DB_OK)
				assert_string_equal(
				    db_error(db)->sqlstate, deeds[i].sqlstate);
			assert_null(strstr(db_error(db)->message, "s3cret"));
			assert_serves(db);
			assert_serves(db);
			db_close(db);
		}
}

static void
a_server_that_is_silent_is_not_waited_for(void **state)
{
	struct db *db = new_db(url);
	struct given given = { 0 };
	struct db_call one = make_call();

	(void)state;
	assert_serves(db);
	fake_do(FAKE_SILENCE, 1, "");
	one.deadline_ms = clock_ms() + SOON_MS;
	assert_int_equal(db_call(db, &one, take_row, &given), DB_LATE);
	assert_in_range(clock_ms(), one.deadline_ms, one.deadline_ms + LATE_MS);
	assert_string_equal(db_error(db)->message, "no answer in time");
	assert_int_equal(fake->executed, 1);
	assert_serves(db);
	/* Nor is one asked for whom no time is left; what it had is kept. */
	one.deadline_ms = clock_ms();
	assert_int_equal(db_call(db, &one, take_row, &given), DB_LATE);
	assert_string_equal(
	    db_error(db)->message, "no time was left for the call");
	assert_int_equal(
	    db_script(db, "select", clock_ms(), NULL, NULL), DB_LATE);
	assert_true(db_is_connected(db));
	assert_int_equal(fake->executed, 2);
	db_close(db);
}

/* Its buffers are full after some of the bytes. */
static void
a_server_that_does_not_read_is_not_written_to_for_ever(void **state)
{
	enum { LARGE_BYTES = 4 * 1024 * 1024 };

	struct db *db = new_db(url);
	struct db_value value = { .bytes = LARGE_BYTES, .is_binary = true };
	struct db_call one = make_call();
	char *large = calloc(1, LARGE_BYTES);

	(void)state;
	assert_non_null(large);
	value.data = large;
	one.values = &value;
	one.count = 1;
	one.plan_each = true; /* it would not answer what is prepared, too */
	for (int is_broken = 0; is_broken < 2; is_broken++) {
		fake_do(FAKE_DEAF, 1, "");
		one.deadline_ms = clock_ms() + 2 * SOON_MS;
		if (is_broken)
			fault_arm("PQconsumeInput", 3, 0);
		assert_int_equal(db_call(db, &one, NULL, NULL), DB_LATE);
		(void)fault_disarm();
		assert_int_equal(fake->executed, 0);
		assert_serves(db);
		db_close(db);
	}
	free(large);
}

static void
a_server_that_never_stops_talking_is_left(void **state)
{
	struct db *db = new_db(url);
	struct given given = { 0 };

	(void)state;
	assert_serves(db);
	fake_do(FAKE_ANSWER, 0, "");
	is_never_silent = true;
	assert_int_equal(call(db, &given), DB_OK);
	is_never_silent = false;
	assert_int_equal(given.rows, FAKE_ROWS);
	assert_int_equal(fake->connections, 1);
	db_close(db);
}

/* The code is there in whatever language the words are. */
static void
a_server_that_lets_nobody_in_says_why(void **state)
{
	struct db *db = new_db(url);
	struct given given = { 0 };

	(void)state;
	fake_do(FAKE_CLOSED, 1, "28P01");
	assert_int_equal(call(db, &given), DB_AWAY);
	assert_string_equal(db_error(db)->sqlstate, "28P01");
	assert_non_null(strstr(db_error(db)->message, "FATAL:  no, because"));
	assert_null(strstr(db_error(db)->message, "28P01"));
	assert_false(db_is_connected(db));
	db_close(db);
	/* Of a role that is missing, which is no client's fault. */
	db = new_db(url);
	fake_do(FAKE_CLOSED, 1, "22023");
	assert_int_equal(call(db, &given), DB_AWAY);
	assert_string_equal(db_error(db)->sqlstate, "");
	assert_non_null(strstr(db_error(db)->message, "FATAL:  no, because"));
}

static void
a_url_is_never_quoted(void **state)
{
	struct db *db = new_db("postgresql://u:s3cret@[::1/some");
	struct given given = { 0 };

	(void)state;
	assert_int_equal(call(db, &given), DB_AWAY);
	assert_string_equal(db_error(db)->message, "the URL is malformed");
	assert_false(db_is_connected(db));
}

static void
a_password_is_found_wherever_it_is_in_a_url(void **state)
{
	(void)state;
	assert_true(db_has_password("postgresql://a:b@host/name"));
	assert_true(db_has_password("postgresql://host/name?password=b"));
	assert_true(db_has_password("host=host password='a b'"));
	assert_true(db_has_password("host=host sslpassword=b"));
	assert_false(db_has_password("postgresql:///name"));
	assert_false(db_has_password("postgresql://a@host:5432/password"));
	assert_false(db_has_password("host=/run/postgresql dbname=name"));
	assert_false(db_has_password("postgresql://a:b@host:x:y/%"));
	assert_false(db_has_password(""));
}

static void
each_call_is_logged_when_that_is_wanted(void **state)
{
	static struct db *db; /* reachable: no leak */
	const struct db_options options = { .url = url,
		.name = "test_db",
		.connect_ms = LATE_MS,
		.statement_ms = LATE_MS,
		.echo = true };
	struct given given = { 0 };
	char said[256];
	FILE *heard = tmpfile();
	int before = dup(STDERR_FILENO);

	(void)state;
	assert_true(heard != NULL && before >= 0);
	db = db_new(&options);
	fake_do(FAKE_ANSWER, 0, "");
	log_set_priority(LOG_INFO);
	assert_true(dup2(fileno(heard), STDERR_FILENO) >= 0);
	assert_int_equal(call(db, &given), DB_OK);
	assert_true(dup2(before, STDERR_FILENO) >= 0);
	log_set_priority(LOG_CRITICAL);
	rewind(heard);
	assert_non_null(fgets(said, sizeof(said), heard));
	assert_non_null(
	    strstr(said, "<6>database.call function=api.some took"));
	assert_int_equal(fclose(heard), 0);
	assert_int_equal(close(before), 0);
	db_close(db);
}

static void
open_without_memory(void *context)
{
	(void)context;
	fault_arm("calloc", 1, ENOMEM);
	(void)new_db(url);
}

static void
connect_without_memory(void *context)
{
	struct given given = { 0 };

	(void)context;
	fault_arm("PQconnectStartParams", 1, ENOMEM);
	(void)call(new_db(url), &given);
}

static void
take_too_long_a_role(void *context)
{
	static char role[600];
	const struct db_options options = { .url = url, .role = role };

	(void)context;
	memset(role, 'r', sizeof(role) - 1);
	(void)db_new(&options);
}

static void
what_cannot_be_begun_ends_the_process(void **state)
{
	(void)state;
	assert_ends(open_without_memory, NULL, false,
	    "<2>database.new reason=\"out of memory\"");
	assert_ends(connect_without_memory, NULL, false,
	    "<2>database.connect reason=\"out of memory\"");
	assert_ends(take_too_long_a_role, NULL, true,
	    "<2>database.new reason=\"the name of the role is too long\"");
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(rows_come_one_by_one),
		cmocka_unit_test(whoever_wants_no_more_gets_no_more),
		cmocka_unit_test(a_call_ends_well_whichever_of_its_calls_fails),
		cmocka_unit_test(
		    a_script_ends_well_whichever_of_its_calls_fails),
		cmocka_unit_test(a_server_may_do_anything),
		cmocka_unit_test(a_server_that_is_silent_is_not_waited_for),
		cmocka_unit_test(
		    a_server_that_does_not_read_is_not_written_to_for_ever),
		cmocka_unit_test(a_server_that_never_stops_talking_is_left),
		cmocka_unit_test(a_server_that_lets_nobody_in_says_why),
		cmocka_unit_test(a_url_is_never_quoted),
		cmocka_unit_test(a_password_is_found_wherever_it_is_in_a_url),
		cmocka_unit_test(each_call_is_logged_when_that_is_wanted),
		cmocka_unit_test(what_cannot_be_begun_ends_the_process),
	};

	return cmocka_run_group_tests(tests, start, stop);
}
