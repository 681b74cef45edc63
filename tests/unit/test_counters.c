/*
 * Counting: nothing is lost, and names are bounded.
 */
#include "shared/counters.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

static struct counters *counters;

static int
set_up(void **state)
{
	(void)state;
	counters = mmap(NULL, sizeof(*counters), PROT_READ | PROT_WRITE,
	    MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	if (counters == MAP_FAILED)
		return -1;
	counters_add_route(counters, "/db/shipments");
	counters_add_route(counters, "/db/shipments/{id}");
	counters_add_route(counters, "/db/shipments");
	return 0;
}

static int
tear_down(void **state)
{
	(void)state;
	return munmap(counters, sizeof(*counters));
}

static void
note(const char *route, const char *method, int status, int64_t us)
{
	counters_note_request(counters,
	    &(struct counters_request){ .route = route,
		.method = method,
		.status = status,
		.total_us = us });
}

/* How often this combination was counted. */
static long
count(const char *route, const char *method, int status)
{
	for (int i = 0; i < COUNTERS_ANSWERS_MAX; i++) {
		struct counters_answer_parts parts =
		    counters_answer_parts(counters, counters->answers[i].key);

		if (counters->answers[i].key != 0 && parts.status == status &&
		    strcmp(parts.route, route) == 0 &&
		    strcmp(parts.method, method) == 0)
			return (long)counters->answers[i].count;
	}
	return 0;
}

static void
requests_are_counted_by_pattern_method_and_status(void **state)
{
	(void)state;
	assert_int_equal(counters->route_count, 3);
	note("/db/shipments", "GET", 200, 1);
	note("/db/shipments", "GET", 200, 1);
	note("/db/shipments", "GET", 599, 1);
	note("/db/shipments/{id}", "DELETE", 404, 1);
	note("/something", "PURGE", 404, 1);
	note(NULL, "GET", 404, 1);
	assert_int_equal(count("/db/shipments", "GET", 200), 2);
	assert_int_equal(count("/db/shipments", "GET", 599), 1);
	assert_int_equal(count("/db/shipments/{id}", "DELETE", 404), 1);
	assert_int_equal(count("unmatched", "other", 404), 1);
	assert_int_equal(count("unmatched", "GET", 404), 1);
	assert_int_equal(counters->answers_lost, 0);
}

static void
a_time_is_in_the_first_bucket_that_allows_it(void **state)
{
	const struct counters_times *times = &counters->routes[1].times;

	(void)state;
	note("/db/shipments", "GET", 200, 0);
	note("/db/shipments", "GET", 200, 1000);
	note("/db/shipments", "GET", 200, 1001);
	note("/db/shipments", "GET", 200, 60000000);
	note("/db/shipments", "GET", 200, 60000001);
	assert_int_equal(times->buckets[0], 2);
	assert_int_equal(times->buckets[1], 1);
	assert_int_equal(times->buckets[COUNTERS_BUCKETS - 2], 1);
	assert_int_equal(times->buckets[COUNTERS_BUCKETS - 1], 1);
	assert_int_equal(times->sum_us, 120002002);
	for (int i = 1; i < COUNTERS_BUCKETS - 1; i++)
		assert_true(counters_limits[i - 1].us < counters_limits[i].us);
}

static void
a_full_table_says_so(void **state)
{
	long total = 0;

	(void)state;
	for (int status = 200; status < 600; status++)
		for (int i = 0; i < 4; i++)
			note(i % 2 == 0 ? "/db/shipments" : NULL,
			    i < 2 ? "GET" : "POST", status, 1);
	for (int i = 0; i < COUNTERS_ANSWERS_MAX; i++)
		total += (long)counters->answers[i].count;
	assert_true(counters->answers_lost > 0);
	assert_int_equal(total + counters->answers_lost, 1600);
}

static void
routes_are_bounded(void **state)
{
	char pattern[COUNTERS_PATTERN_BYTES + 1];

	(void)state;
	memset(pattern, 'x', sizeof(pattern) - 1);
	pattern[sizeof(pattern) - 1] = '\0';
	counters_add_route(counters, pattern);
	assert_int_equal(counters->route_count, 3);
	for (int i = 0; i < 2 * COUNTERS_ROUTES_MAX; i++) {
		(void)snprintf(pattern, sizeof(pattern), "/%d", i);
		counters_add_route(counters, pattern);
	}
	assert_int_equal(counters->route_count, COUNTERS_ROUTES_MAX);
	note("/100", "GET", 200, 1);
	assert_int_equal(count("/100", "GET", 200), 1);
	note("/200", "GET", 200, 1);
	assert_int_equal(count("unmatched", "GET", 200), 1);
}

static void
calls_and_events_have_their_words(void **state)
{
	(void)state;
	counters_note_upstream(counters, EASYPOST_ANSWERED, 201, 5);
	counters_note_upstream(counters, EASYPOST_ANSWERED, 599, 5);
	counters_note_upstream(counters, EASYPOST_ANSWERED, 42, 5);
	counters_note_upstream(counters, EASYPOST_ANSWERED, 600, 5);
	counters_note_upstream(counters, EASYPOST_TOO_LARGE, 0, 5);
	for (int i = 0; counters_upstream_results[i] != NULL; i++) {
		const char *word = counters_upstream_results[i];
		bool is_counted = strcmp(word, "2xx") == 0 ||
		    strcmp(word, "5xx") == 0 || strcmp(word, "in_doubt") == 0 ||
		    strcmp(word, "too_large") == 0;

		assert_int_equal(counters->upstream_results[i],
		    strcmp(word, "in_doubt") == 0 ? 2 : is_counted);
	}
	assert_int_equal(counters->upstream.buckets[0], 5);
	counters_note_event(counters, 3, "duplicate");
	counters_note_event(counters, 3, "unheard of");
	for (int i = 0; counters_event_results[i] != NULL; i++)
		assert_int_equal(counters->events[3][i],
		    strcmp(counters_event_results[i], "duplicate") == 0);
}

enum { PROCESSES = 4, EACH = 20000 };

static void
several_processes_lose_nothing(void **state)
{
	(void)state;
	for (int i = 0; i < PROCESSES; i++) {
		pid_t pid = fork();

		assert_true(pid >= 0);
		if (pid > 0)
			continue;
		for (int n = 0; n < EACH; n++)
			note("/db/shipments", "GET", 200 + n % 50, n);
		_exit(0);
	}
	for (int i = 0; i < PROCESSES; i++) {
		int status;

		assert_true(wait(&status) > 0);
		assert_int_equal(status, 0);
	}
	for (int status = 200; status < 250; status++)
		assert_int_equal(count("/db/shipments", "GET", status),
		    PROCESSES * EACH / 50);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(
		    requests_are_counted_by_pattern_method_and_status, set_up,
		    tear_down),
		cmocka_unit_test_setup_teardown(
		    a_time_is_in_the_first_bucket_that_allows_it, set_up,
		    tear_down),
		cmocka_unit_test_setup_teardown(
		    a_full_table_says_so, set_up, tear_down),
		cmocka_unit_test_setup_teardown(
		    routes_are_bounded, set_up, tear_down),
		cmocka_unit_test_setup_teardown(
		    calls_and_events_have_their_words, set_up, tear_down),
		cmocka_unit_test_setup_teardown(
		    several_processes_lose_nothing, set_up, tear_down),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
