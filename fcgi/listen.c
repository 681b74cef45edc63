/*
 * Where the listening socket comes from, and how it survives an exec.
 *
 * It is handed on in the way of systemd (LISTEN_PID, LISTEN_FDS, fd 3): after
 * an exec we have the same process id and need no way of our own.
 * What must stay true: a path is removed only when nobody alive listens there;
 * the socket is never open to others than its user and group, for whoever can
 * connect can kill workers.
 */
#include "fcgi/listen.h"

#include "shared/log.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

enum {
	BACKLOG = 4096,     /* a short one turns load into errors of nginx */
	SOCKET_MASK = 0117, /* leaves 0660 */
};

/* Marks a socket that we made, in LISTEN_FDNAMES. */
static const char own_name[] = "waybill-own";

static void
give_up(const char *path, const char *what)
{
	log_event(LOG_CRITICAL, "listen.failed", LOG_TEXT("path", path),
	    LOG_TEXT("reason", what), LOG_TEXT("error", strerror(errno)));
	exit(EXIT_FAILURE);
}

static bool
is_listening(int fd)
{
	int answer = 0;
	socklen_t bytes = sizeof(answer);

	return getsockopt(fd, SOL_SOCKET, SO_ACCEPTCONN, &answer, &bytes) ==
	    0 &&
	    answer != 0;
}

static bool
is_number(const char *name, long number)
{
	const char *text = getenv(name);

	return text != NULL && strtol(text, NULL, 10) == number;
}

/* sd_listen_fds(3), for one socket. */
static bool
is_inherited(void)
{
	return is_number("LISTEN_PID", getpid()) && is_number("LISTEN_FDS", 1);
}

static void
set_exec(int fd, bool is_kept)
{
	(void)fcntl(fd, F_SETFD, is_kept ? 0 : FD_CLOEXEC); /* it is open */
}

static struct sockaddr_un
address_of(const char *path)
{
	struct sockaddr_un address = { .sun_family = AF_UNIX };

	errno = ENAMETOOLONG;
	if (strlen(path) >= sizeof(address.sun_path))
		give_up(path, "longer than a socket's path may be");
	memcpy(address.sun_path, path, strlen(path));
	return address;
}

static int
make_socket(const char *path)
{
	int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);

	if (fd < 0)
		give_up(path, "cannot make a socket");
	return fd;
}

/* True when a living process listens there.  Workers that outlive a killed
 * supervisor hold its socket until their last request is answered, so that
 * connecting is no proof: ask who called listen(2). */
static bool
is_answered(const char *path)
{
	struct sockaddr_un address = address_of(path);
	struct ucred maker;
	socklen_t bytes = sizeof(maker);
	int fd = make_socket(path);
	bool is_alive = false;

	if (connect(fd, (const struct sockaddr *)&address, sizeof(address)) ==
	    0)
		is_alive = getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &maker,
			       &bytes) != 0 ||
		    kill(maker.pid, 0) == 0 || errno != ESRCH;
	(void)close(fd); /* nothing was sent */
	return is_alive;
}

static int
open_path(const char *path)
{
	struct sockaddr_un address = address_of(path);
	struct stat status;
	mode_t mask;
	int fd;

	if (lstat(path, &status) == 0) {
		errno = EADDRINUSE;
		if (!S_ISSOCK(status.st_mode))
			give_up(path, "there is something else");
		if (is_answered(path)) {
			errno = EADDRINUSE;
			give_up(path, "another process listens there");
		}
		if (unlink(path) != 0)
			give_up(path, "cannot remove the old socket");
	}
	fd = make_socket(path);
	mask = umask(SOCKET_MASK);
	if (bind(fd, (const struct sockaddr *)&address, sizeof(address)) != 0)
		give_up(path, "cannot bind");
	(void)umask(mask); /* cannot fail */
	if (listen(fd, BACKLOG) != 0)
		give_up(path, "cannot listen");
	if (fd == LISTEN_FD)
		return fd;
	if (dup3(fd, LISTEN_FD, O_CLOEXEC) < 0)
		give_up(path, "cannot take its place");
	(void)close(fd); /* the other one stays */
	return LISTEN_FD;
}

struct listen
listen_open(const char *path, bool is_path_wanted)
{
	struct listen made = { .fd = LISTEN_FD, .path = path };
	const char *name = getenv("LISTEN_FDNAMES");
	bool was_ours = name != NULL && strcmp(name, own_name) == 0;

	if (is_inherited() && (was_ours || !is_path_wanted)) {
		errno = ENOTSOCK;
		if (!is_listening(LISTEN_FD))
			give_up("fd 3", "not a listening socket");
		made.is_ours = was_ours;
		set_exec(LISTEN_FD, false);
	} else {
		made.fd = open_path(path);
		made.is_ours = true;
	}
	/* Not for the children.  Nothing is done when it is not set. */
	(void)unsetenv("LISTEN_PID");
	(void)unsetenv("LISTEN_FDS");
	(void)unsetenv("LISTEN_FDNAMES");
	return made;
}

void
listen_hand_on(const struct listen *made)
{
	char pid[32];

	(void)snprintf(pid, sizeof(pid), "%ld", (long)getpid()); /* fits */
	if (setenv("LISTEN_PID", pid, 1) != 0 ||
	    setenv("LISTEN_FDS", "1", 1) != 0 ||
	    setenv("LISTEN_FDNAMES", made->is_ours ? own_name : "", 1) != 0)
		log_fatal("listen.hand_on", "out of memory");
	set_exec(made->fd, true);
}

void
listen_keep(const struct listen *made)
{
	set_exec(made->fd, false);
	(void)unsetenv("LISTEN_PID"); /* were set by us just now */
	(void)unsetenv("LISTEN_FDS");
	(void)unsetenv("LISTEN_FDNAMES");
}

void
listen_remove(const struct listen *made)
{
	if (made->is_ours && unlink(made->path) != 0 && errno != ENOENT)
		log_event(LOG_WARNING, "listen.remove",
		    LOG_TEXT("path", made->path),
		    LOG_TEXT("error", strerror(errno)));
}
