/*
 * One datagram to the service manager (sd_notify(3)); no libsystemd for that.
 *
 * What must stay true: it never blocks and never fails loudly.  A process that
 * cannot reach its manager goes on serving.
 */
#include "shared/notify.h"

#include <errno.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

void
notify_send(const char *state)
{
	const char *path = getenv("NOTIFY_SOCKET");
	struct sockaddr_un address = { .sun_family = AF_UNIX };
	int saved = errno;
	size_t bytes = path == NULL ? 0 : strlen(path);
	socklen_t size =
	    (socklen_t)(offsetof(struct sockaddr_un, sun_path) + bytes);
	int fd;

	/* A path, or a name in the abstract space written with an "@". */
	if (bytes < 2 || bytes >= sizeof(address.sun_path) ||
	    (path[0] != '/' && path[0] != '@'))
		return;
	memcpy(address.sun_path, path, bytes);
	if (path[0] == '@')
		address.sun_path[0] = '\0';
	fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	if (fd >= 0) {
		/* Nobody to tell that nobody listens. */
		(void)sendto(fd, state, strlen(state), MSG_NOSIGNAL,
		    (const struct sockaddr *)&address, size);
		(void)close(fd); /* nothing was buffered here */
	}
	errno = saved;
}

int64_t
notify_watchdog_ms(void)
{
	const char *usec = getenv("WATCHDOG_USEC");
	const char *pid = getenv("WATCHDOG_PID");
	long long limit_us;

	if (usec == NULL)
		return 0;
	if (pid != NULL && strtoll(pid, NULL, 10) != (long long)getpid())
		return 0; /* meant for a parent of this process */
	limit_us = strtoll(usec, NULL, 10);
	return limit_us <= 0 ? 0 : limit_us / 3000;
}
