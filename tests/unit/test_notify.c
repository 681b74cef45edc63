/* What the service manager is told, and how often it wants to hear of us. */
#include "shared/notify.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include <cmocka.h>

enum { SAID_BYTES = 64 };

/* A manager that listens at the name as NOTIFY_SOCKET has it. */
static int
listen_at(const char *name)
{
	struct sockaddr_un address = { .sun_family = AF_UNIX };
	size_t bytes = strlen(name);
	int fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);

	assert_true(fd >= 0);
	memcpy(address.sun_path, name, bytes);
	if (name[0] == '@')
		address.sun_path[0] = '\0';
	assert_int_equal(
	    bind(fd, (const struct sockaddr *)&address,
		(socklen_t)(offsetof(struct sockaddr_un, sun_path) + bytes)),
	    0);
	assert_int_equal(setenv("NOTIFY_SOCKET", name, 1), 0);
	return fd;
}

static void
assert_heard(int fd, const char *expected)
{
	char said[SAID_BYTES] = "";

	assert_int_equal(recv(fd, said, sizeof(said) - 1, 0), strlen(expected));
	assert_string_equal(said, expected);
}

static void
a_manager_hears_what_is_said(void **state)
{
	char name[SAID_BYTES];
	int fd;

	(void)state;
	(void)snprintf(
	    name, sizeof(name), "/tmp/test_notify.%ld", (long)getpid());
	fd = listen_at(name);
	notify_send("READY=1");
	notify_send("WATCHDOG=1");
	assert_heard(fd, "READY=1");
	assert_heard(fd, "WATCHDOG=1");
	assert_int_equal(close(fd), 0);
	/* It has gone: nobody is told, nothing happens, errno stays. */
	errno = EDOM;
	notify_send("STOPPING=1");
	assert_int_equal(errno, EDOM);
	assert_int_equal(unlink(name), 0);
	fd = listen_at("@test_notify.abstract");
	notify_send("READY=1");
	assert_heard(fd, "READY=1");
	assert_int_equal(close(fd), 0);
}

static void
without_a_manager_nothing_is_said(void **state)
{
	static char longer[sizeof(struct sockaddr_un) + 1];
	const char *const names[] = { "", "/", "@", "relative", longer };
	int before = dup(STDERR_FILENO);

	(void)state;
	memset(longer, 'x', sizeof(longer) - 1);
	longer[0] = '/';
	for (size_t i = 0; i < sizeof(names) / sizeof(*names); i++) {
		assert_int_equal(setenv("NOTIFY_SOCKET", names[i], 1), 0);
		notify_send("READY=1");
	}
	assert_int_equal(unsetenv("NOTIFY_SOCKET"), 0);
	notify_send("READY=1");
	/* No descriptor is left behind. */
	assert_int_equal(close(before), 0);
	assert_int_equal(dup(STDERR_FILENO), before);
	assert_int_equal(close(before), 0);
}

static void
the_watchdog_is_fed_three_times_as_often_as_it_wants(void **state)
{
	char pid[32];

	(void)state;
	assert_int_equal(notify_watchdog_ms(), 0);
	assert_int_equal(setenv("WATCHDOG_USEC", "30000000", 1), 0);
	assert_int_equal(notify_watchdog_ms(), 10000);
	(void)snprintf(pid, sizeof(pid), "%ld", (long)getpid());
	assert_int_equal(setenv("WATCHDOG_PID", pid, 1), 0);
	assert_int_equal(notify_watchdog_ms(), 10000);
	/* That of another process. */
	assert_int_equal(setenv("WATCHDOG_PID", "1", 1), 0);
	assert_int_equal(notify_watchdog_ms(), 0);
	assert_int_equal(unsetenv("WATCHDOG_PID"), 0);
	assert_int_equal(setenv("WATCHDOG_USEC", "0", 1), 0);
	assert_int_equal(notify_watchdog_ms(), 0);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_manager_hears_what_is_said),
		cmocka_unit_test(without_a_manager_nothing_is_said),
		cmocka_unit_test(
		    the_watchdog_is_fed_three_times_as_often_as_it_wants),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
