/*
 * The FastCGI question FCGI_GET_VALUES: libfcgi answers it before there is any
 * request, so that nothing is counted, logged or asked of the database.  With one
 * name: at four, libfcgi 2.4 writes past its buffer.
 */
#include "ctl/ping.h"
#include "shared/clock.h"

#include <errno.h>
#include <poll.h>
#include <stddef.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

enum {
	VERSION = 1,
	GET_VALUES = 9,
	GET_VALUES_RESULT = 10,
	NAME_BYTES = 15,
	CONTENT_BYTES = NAME_BYTES + 2,
	PADDING_BYTES = 7, /* to a multiple of 8 */
	HEADER_BYTES = 8,
};

/* Length of the name, length of the value (none), the name. */
static const unsigned char question[HEADER_BYTES + CONTENT_BYTES +
    PADDING_BYTES] = { VERSION, GET_VALUES, 0, 0, 0, CONTENT_BYTES,
	PADDING_BYTES, 0, NAME_BYTES, 0, 'F', 'C', 'G', 'I', '_', 'M', 'P', 'X',
	'S', '_', 'C', 'O', 'N', 'N', 'S' };

static int
wait_for_answer(int fd, int64_t deadline_ms)
{
	struct pollfd one = { .fd = fd, .events = POLLIN };
	unsigned char answer[HEADER_BYTES];
	ssize_t bytes;

	while (poll(&one, 1, clock_left_ms(deadline_ms)) < 0)
		if (errno != EINTR)
			return errno;
	if (one.revents == 0)
		return ETIMEDOUT;
	bytes = recv(fd, answer, sizeof(answer), 0);
	if (bytes < 0)
		return errno;
	return bytes == sizeof(answer) && answer[0] == VERSION &&
		answer[1] == GET_VALUES_RESULT
	    ? 0
	    : EPROTO;
}

static int
ask(int fd, const struct sockaddr_un *address, int64_t deadline_ms)
{
	/* A unix socket connects at once; EAGAIN: its queue is full. */
	if (connect(fd, (const struct sockaddr *)address, sizeof(*address)) !=
	    0)
		return errno == EAGAIN ? ETIMEDOUT : errno;
	if (send(fd, question, sizeof(question), MSG_NOSIGNAL) !=
	    (ssize_t)sizeof(question))
		return errno;
	return wait_for_answer(fd, deadline_ms);
}

int
ping_pool(const char *socket_path, int64_t deadline_ms)
{
	struct sockaddr_un address = { .sun_family = AF_UNIX };
	int result;
	int fd;

	if (strlen(socket_path) >= sizeof(address.sun_path))
		return ENAMETOOLONG;
	memcpy(address.sun_path, socket_path, strlen(socket_path));
	fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	if (fd < 0)
		return errno;
	result = ask(fd, &address, deadline_ms);
	(void)close(fd); /* it has said what it had to say */
	return result;
}
