/*
 * Calls to EasyPost: what is no request never leaves, what failed is called what
 * it is, and memory that is short ends the process or the call.
 */
#include "shared/clock.h"
#include "shared/easypost.h"
#include "shared/log.h"
#include "tests/unit/ending.h"
#include "tests/unit/faults.h"

#include <arpa/inet.h>
#include <curl/curl.h>
#include <netinet/in.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/prctl.h>
#include <sys/socket.h>

#include <cmocka.h>

enum { SOON_MS = 300, LATE_MS = 5000, HEARD_BYTES = 4096 };

/*
 * A server, and what it heard.
 */

enum deed { ANSWER, BREAK, SILENCE, FLOOD };

static struct heard {
	_Atomic int deed;
	_Atomic int requests;
	char last[HEARD_BYTES];
} * heard;

static char base[64];
static pid_t server;

static bool
is_whole(const char *text)
{
	static const char label[] = "Content-Length: ";
	const char *end = strstr(text, "\r\n\r\n");
	const char *length = strstr(text, label);

	if (end == NULL)
		return false;
	return length == NULL ||
	    strlen(end + 4) == strtoul(length + sizeof(label) - 1, NULL, 10);
}

static void
serve(int fd)
{
	static const char answer[] = "HTTP/1.1 200 OK\r\nX-Some: thing\r\n"
				     "Content-Length: 2\r\n\r\nok";
	static const char flood[] = "HTTP/1.1 200 OK\r\n"
				    "Content-Length: 99999999\r\n\r\n";
	static char zeroes[64 * 1024];
	static char text[HEARD_BYTES];
	size_t bytes = 0;
	ssize_t n;

	text[0] = '\0';
	while (!is_whole(text)) {
		n = recv(fd, text + bytes, sizeof(text) - 1 - bytes, 0);
		if (n <= 0)
			return;
		bytes += (size_t)n;
		text[bytes] = '\0';
	}
	memcpy(heard->last, text, sizeof(text));
	heard->requests++;
	switch ((enum deed)heard->deed) {
	case ANSWER:
		n = send(fd, answer,
		    sizeof(answer) - (strncmp(text, "HEAD", 4) == 0 ? 3 : 1),
		    0);
		if (n > 0)
			serve(fd);
		break;
	case BREAK:
		break;
	case SILENCE:
		while (recv(fd, zeroes, sizeof(zeroes), 0) > 0)
			;
		break;
	case FLOOD:
		n = send(fd, flood, sizeof(flood) - 1, 0);
		while (n > 0)
			n = send(fd, zeroes, sizeof(zeroes), 0);
		break;
	}
}

/* Each connection in a process of its own, which ends with its parent. */
static _Noreturn void
run_server(int listener)
{
	(void)signal(SIGPIPE, SIG_IGN);
	(void)signal(SIGCHLD, SIG_IGN);
	(void)prctl(PR_SET_PDEATHSIG, SIGKILL);
	for (;;) {
		int fd = accept(listener, NULL, NULL);

		if (fork() == 0) {
			(void)prctl(PR_SET_PDEATHSIG, SIGKILL);
			serve(fd);
			_exit(0);
		}
		(void)close(fd); /* the child has it */
	}
}

static int
start(void **state)
{
	struct sockaddr_in address = { .sin_family = AF_INET,
		.sin_addr = { htonl(INADDR_LOOPBACK) } };
	socklen_t bytes = sizeof(address);
	int listener = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);

	(void)state;
	log_set_priority(LOG_CRITICAL);
	heard = mmap(NULL, sizeof(*heard), PROT_READ | PROT_WRITE,
	    MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	if (listener < 0 || heard == MAP_FAILED ||
	    bind(listener, (const struct sockaddr *)&address, bytes) != 0 ||
	    listen(listener, 64) != 0 ||
	    getsockname(listener, (struct sockaddr *)&address, &bytes) != 0)
		return -1;
	(void)snprintf(
	    base, sizeof(base), "http://127.0.0.1:%d", ntohs(address.sin_port));
	server = fork();
	if (server == 0)
		run_server(listener);
	return server < 0 || close(listener) != 0;
}

static int
stop(void **state)
{
	int status;

	(void)state;
	return kill(server, SIGKILL) != 0 ||
	    waitpid(server, &status, 0) != server ||
	    munmap(heard, sizeof(*heard)) != 0;
}

static void
server_does(enum deed deed)
{
	heard->deed = (int)deed;
	heard->requests = 0;
}

/*
 * Calls.
 */

static struct easypost *easypost; /* lives as long as the process */
static struct reply answer;

static struct easypost *
made(void)
{
	if (easypost == NULL) {
		easypost = easypost_new(base, "");
		reply_init(&answer);
	}
	return easypost;
}

static struct easypost_request
make_request(const char *method)
{
	return (struct easypost_request){ .method = method,
		.target = "/v2/some",
		.deadline_ms = clock_ms() + LATE_MS };
}

static enum easypost_result
send_it(const struct easypost_request *request)
{
	return easypost_send(made(), request, &answer);
}

static void
each_method_goes_as_it_is(void **state)
{
	static const struct {
		const char *method;
		const char *body; /* NULL: none */
		const char *line;
	} calls[] = {
		{ "GET", NULL, NULL },
		{ "GET", "{}", "\r\nContent-Length: 2\r\n" },
		{ "HEAD", NULL, NULL },
		{ "OPTIONS", NULL, NULL },
		{ "DELETE", NULL, NULL },
		{ "DELETE", "{}", "\r\nContent-Length: 2\r\n" },
		{ "POST", NULL, "\r\nContent-Length: 0\r\n" },
		{ "POST", "", "\r\nContent-Length: 0\r\n" },
		{ "PATCH", "{}", "\r\nContent-Length: 2\r\n" },
	};

	static const struct easypost_header headers[] = { { "X-Empty", "" },
		{ "X-Full", "a; b" } };

	(void)state;
	for (size_t i = 0; i < sizeof(calls) / sizeof(*calls); i++)
		for (int spends_money = 0; spends_money < 2; spends_money++) {
			struct easypost_request one =
			    make_request(calls[i].method);
			char line[64];

			one.headers = headers;
			one.header_count = 2;
			one.spends_money = spends_money;
			one.body = calls[i].body;
			one.has_body = one.body != NULL;
			one.body_bytes = one.has_body ? strlen(one.body) : 0;
			server_does(ANSWER);
			if (send_it(&one) != EASYPOST_ANSWERED)
				fail_msg("%zu: %s", i, easypost_error(made()));
			assert_int_equal(heard->requests, 1);
			assert_int_equal(answer.status, 200);
			assert_string_equal(
			    reply_header(&answer, "x-some"), "thing");
			(void)snprintf(line, sizeof(line),
			    "%s /v2/some HTTP/1.1\r\n", one.method);
			assert_memory_equal(heard->last, line, strlen(line));
			assert_non_null(
			    strstr(heard->last, "\r\nX-Empty:\r\n"));
			assert_non_null(
			    strstr(heard->last, "\r\nX-Full: a; b\r\n"));
			if (calls[i].line != NULL)
				assert_non_null(
				    strstr(heard->last, calls[i].line));
			else
				assert_null(
				    strstr(heard->last, "Content-Length"));
		}
}

static void
what_is_no_request_never_leaves(void **state)
{
	static const struct {
		const char *method;
		const char *target;
		struct easypost_header header;
	} wrong[] = {
		{ "", "/", { "X", "" } },
		{ "get", "/", { "X", "" } },
		{ "GE T", "/", { "X", "" } },
		{ "GET\r\nX: y", "/", { "X", "" } },
		{ "G[T", "/", { "X", "" } },
		{ "GET", "", { "X", "" } },
		{ "GET", "v2", { "X", "" } },
		{ "GET", "/a b", { "X", "" } },
		{ "GET", "/\r\n", { "X", "" } },
		{ "GET", "/\x7f", { "X", "" } },
		{ "GET", "/", { "X:", "" } },
		{ "GET", "/", { "X\r", "" } },
		{ "GET", "/", { "X;", "" } },
		{ "GET", "/", { "X", "a\nY: b" } },
		{ "GET", "/", { "X", "a\rY: b" } },
	};

	struct easypost_request one;

	(void)state;
	server_does(ANSWER);
	for (size_t i = 0; i < sizeof(wrong) / sizeof(*wrong); i++) {
		one = make_request(wrong[i].method);
		one.target = wrong[i].target;
		one.headers = &wrong[i].header;
		one.header_count = 1;
		assert_int_equal(send_it(&one), EASYPOST_UNREACHABLE);
		assert_string_equal(
		    easypost_error(made()), "not a request to send");
		assert_int_equal(answer.status, 0);
	}
	/* To libcurl no time would be all of it. */
	one = make_request("GET");
	one.deadline_ms = clock_ms();
	assert_int_equal(send_it(&one), EASYPOST_UNREACHABLE);
	assert_string_equal(
	    easypost_error(made()), "no time was left for the call");
	assert_int_equal(heard->requests, 0);
}

static void
what_failed_is_called_what_it_is(void **state)
{
	struct easypost_request one = make_request("POST");
	struct easypost *nowhere = easypost_new("http://127.0.0.1:1", "");

	(void)state;
	server_does(BREAK);
	assert_int_equal(send_it(&one), EASYPOST_IN_DOUBT);
	assert_int_equal(heard->requests, 1); /* not sent again */
	assert_int_equal(answer.status, 0);
	server_does(SILENCE);
	one.deadline_ms = clock_ms() + SOON_MS;
	assert_int_equal(send_it(&one), EASYPOST_LATE);
	/* libcurl and we cut whole milliseconds off different clocks. */
	assert_in_range(
	    clock_ms(), one.deadline_ms - 1, one.deadline_ms + LATE_MS);
	server_does(FLOOD);
	one = make_request("GET");
	one.deadline_ms += 10 * LATE_MS;
	assert_int_equal(send_it(&one), EASYPOST_TOO_LARGE);
	assert_int_equal(answer.body.len, 0);
	assert_int_equal(
	    easypost_send(nowhere, &one, &answer), EASYPOST_UNREACHABLE);
	assert_true(easypost_spent_us(made()) > 0);
	easypost_forget_spent(made());
	assert_int_equal(easypost_spent_us(made()), 0);
}

/* --- several at once --- */

enum { MANY = 40, WRONG = 7 };

struct asked {
	int begun;
	int answered;
	int unreachable;
	int most; /* then it wants no more; 0: all of them */
};

static void
ask(void *context, size_t index, struct easypost_request *request)
{
	struct asked *asked = context;

	asked->begun++;
	*request = make_request("GET");
	if (index == WRONG)
		request->target = "no path";
}

static bool
take(void *context, size_t index, enum easypost_result result,
    const struct reply *reply)
{
	struct asked *asked = context;

	assert_in_range(index, 0, MANY - 1);
	if (result == EASYPOST_ANSWERED) {
		assert_string_equal(reply->body.data, "ok");
		asked->answered++;
	} else if (result == EASYPOST_UNREACHABLE)
		asked->unreachable++;
	return asked->answered + asked->unreachable != asked->most;
}

static struct asked
send_many(int most)
{
	struct asked asked = { .most = most };
	const struct easypost_many many = {
		.count = MANY, .ask = ask, .take = take, .context = &asked
	};

	easypost_send_many(made(), &many);
	return asked;
}

static void
one_that_cannot_be_sent_holds_up_no_other(void **state)
{
	struct asked asked;

	(void)state;
	server_does(ANSWER);
	asked = send_many(0);
	assert_int_equal(asked.begun, MANY);
	assert_int_equal(asked.answered, MANY - 1);
	assert_int_equal(asked.unreachable, 1);
	assert_int_equal(heard->requests, MANY - 1);
	/* The first that is over is the one that is none. */
	asked = send_many(1);
	assert_int_equal(asked.unreachable, 1);
	assert_int_equal(asked.begun, WRONG + 1);
	assert_int_equal(asked.answered, WRONG);
}

static void
a_site_without_tls_shows_no_certificate(void **state)
{
	static struct easypost *own; /* lives as long as the process */
	struct easypost_site site = { .speaks_http2 = true };
	struct easypost_request one = make_request("GET");

	(void)state;
	own = easypost_new(base, "");
	easypost_look_at_site(own, &site);
	server_does(ANSWER);
	assert_int_equal(easypost_send(own, &one, &answer), EASYPOST_ANSWERED);
	assert_string_equal(site.expires, "");
	assert_false(site.speaks_http2);
}

/* --- memory --- */

/* libcurl's is one with ours, so that it can be missing there, too. */
static void *
own_malloc(size_t bytes)
{
	return fault_is_now("memory") ? NULL : malloc(bytes);
}

static void *
own_calloc(size_t count, size_t bytes)
{
	return fault_is_now("memory") ? NULL : calloc(count, bytes);
}

static void *
own_realloc(void *at, size_t bytes)
{
	return fault_is_now("memory") ? NULL : realloc(at, bytes);
}

static char *
own_strdup(const char *text)
{
	return fault_is_now("memory") ? NULL : strdup(text);
}

static int nth_to_fail;

static void
send_all_anew(void *is_many)
{
	static const struct easypost_header header = { "X-Some", "thing" };
	struct easypost_request one = make_request("POST");

	fault_arm("memory", nth_to_fail, ENOMEM);
	easypost = easypost_new(base, "");
	reply_init(&answer);
	one.headers = &header;
	one.header_count = 1;
	if (is_many != NULL)
		(void)send_many(0);
	else if (send_it(&one) == EASYPOST_ANSWERED)
		assert_string_equal(answer.body.data, "ok");
	else
		assert_true(*easypost_error(easypost) != '\0');
	_exit(fault_disarm() ? 2 : 3);
}

/* The status of a process in which the nth allocation fails. */
static int
status_of_sending(void *is_many, int nth)
{
	pid_t pid = fork();
	int status;

	if (pid == 0) {
		nth_to_fail = nth;
		(void)close(STDERR_FILENO); /* keeps the test's output clean */
		send_all_anew(is_many);
	}
	assert_true(pid > 0);
	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_true(WIFEXITED(status));
	return WEXITSTATUS(status);
}

/* 1: it said so and ended; 2: the call went on or was said to have failed. */
static void
memory_that_is_short_is_survived_or_said(void **state)
{
	int is_many;

	(void)state;
	server_does(ANSWER);
	for (int i = 0; i < 2; i++) {
		int statuses[4] = { 0 };
		int status;
		int nth = 1;

		do {
			status = status_of_sending(i ? &is_many : NULL, nth);
			assert_in_range(status, 1, 3);
			statuses[status]++;
			nth += 1 + nth / 5;
		} while (status != 3);
		assert_true(statuses[1] > 10);
		assert_true(statuses[2] > 0);
	}
}

static void
begin_without_memory(void *context)
{
	(void)context;
	fault_arm("calloc", 1, ENOMEM);
	(void)easypost_new(base, "");
}

static void
send_many_without_memory(void *context)
{
	(void)context;
	(void)made();
	fault_arm("calloc", 1, ENOMEM);
	(void)send_many(0);
}

static void
send_too_long_a_header(void *context)
{
	static char value[70 * 1024];
	const struct easypost_header header = { "X-Long", value };
	struct easypost_request one = make_request("GET");

	(void)context;
	memset(value, 'x', sizeof(value) - 1);
	one.headers = &header;
	one.header_count = 1;
	(void)send_it(&one);
}

static void
what_cannot_go_on_ends_the_process(void **state)
{
	(void)state;
	assert_ends(begin_without_memory, NULL, false,
	    "<2>easypost.new reason=\"libcurl cannot begin\"");
	assert_ends(send_many_without_memory, NULL, false,
	    "<2>easypost.many reason=\"out of memory\"");
	assert_ends(send_too_long_a_header, NULL, false,
	    "<2>easypost.setup reason=\"a header is too long\"");
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		/* Before libcurl has begun in this process. */
		cmocka_unit_test(memory_that_is_short_is_survived_or_said),
		cmocka_unit_test(each_method_goes_as_it_is),
		cmocka_unit_test(what_is_no_request_never_leaves),
		cmocka_unit_test(what_failed_is_called_what_it_is),
		cmocka_unit_test(one_that_cannot_be_sent_holds_up_no_other),
		cmocka_unit_test(a_site_without_tls_shows_no_certificate),
		cmocka_unit_test(what_cannot_go_on_ends_the_process),
	};

	if (curl_global_init_mem(CURL_GLOBAL_DEFAULT, own_malloc, free,
		own_realloc, own_strdup, own_calloc) != CURLE_OK)
		return 1;
	return cmocka_run_group_tests(tests, start, stop);
}
