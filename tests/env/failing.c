/*
 * Lets the Nth call of a kind fail, in a process that the tests choose: loaded
 * with LD_PRELOAD, told what to do through a small file that both have mapped.
 * See tests/failing.py.
 *
 * A call that fails is not made; but for two errors of our own: HALF makes it
 * with half of the bytes, LOST makes it and says EIO, as a network does.
 *
 * The wall clock of whoever has it loaded can be moved as well.
 */
#include <dirent.h>
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <time.h>
#include <unistd.h>

enum { HALF = 1001, LOST = 1002 };

/* The names' order is that of CALLS in failing.py. */
enum call {
	NONE, OPEN, WRITE, READ, FSYNC, RENAME, UNLINK, CLOSE, STAT, STATVFS,
	MKDIR, READDIR, FLOCK, SEND, RECV, CONNECT, POLL, SOCKET, MEMORY, FORK,
	MMAP, ACCESS, CALLS
};

static struct control {
	_Atomic int32_t pid; /* 0: nobody, -1: whoever is loaded with us */
	_Atomic int32_t call;
	_Atomic int32_t left; /* until it fails; then it goes below 0 */
	_Atomic int32_t error;
	_Atomic int32_t failed; /* how many did */
	_Atomic int32_t ahead_s; /* how far the wall clock is wrong */
} *control;

static __thread bool is_inside; /* of our own first steps, or spared */

static void
begin(void)
{
	const char *path = getenv("FAILING_FILE");
	int fd;
	void *map;

	if (path == NULL || is_inside)
		return;
	is_inside = true;
	fd = (int)((long (*)(const char *, int))dlsym(RTLD_NEXT, "open"))(
	    path, O_RDWR | O_CLOEXEC);
	map = fd < 0 ? MAP_FAILED
		     : ((void *(*)(void *, size_t, int, int, int, off_t))dlsym(
			   RTLD_NEXT, "mmap"))(NULL, sizeof(*control),
			   PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
	if (fd >= 0)
		((int (*)(int))dlsym(RTLD_NEXT, "close"))(fd);
	is_inside = false;
	if (map != MAP_FAILED)
		control = map;
}

__attribute__((constructor)) static void
construct(void)
{
	begin();
}

/* For what is in the process and no part of the program, in this thread: gcc's
 * counters, which are written at its end. */
void failing_spare(bool is_spared);
void
failing_spare(bool is_spared)
{
	is_inside = is_spared;
}

/* 0, or the error that this call has now. */
static int
error_of(enum call call)
{
	int32_t pid;

	if (control == NULL || is_inside || control->call != (int32_t)call)
		return 0;
	pid = control->pid;
	if (pid == 0 || (pid != -1 && pid != (int32_t)getpid()))
		return 0;
	if (atomic_fetch_sub(&control->left, 1) != 1)
		return 0;
	atomic_fetch_add(&control->failed, 1);
	return control->error;
}

#define REAL(name) ((__typeof__(&name))real(&real_##name, #name))
#define KEEP(name) static void *real_##name

static void *
real(void **kept, const char *name)
{
	if (*kept == NULL)
		*kept = dlsym(RTLD_NEXT, name);
	return *kept;
}

/* NAME(parameters), which returns `bad` and fails as `call`. */
#define SIMPLE(type, name, call, bad, parameters, arguments)     \
	KEEP(name);                                              \
	type name parameters                                     \
	{                                                        \
		int error = error_of(call);                      \
								 \
		if (error == 0)                                  \
			return REAL(name) arguments;             \
		if (error == LOST)                               \
			(void)REAL(name) arguments;              \
		errno = error >= HALF ? EIO : error;             \
		return bad;                                      \
	}

/* The same for what may take less than it was given. */
#define PARTIAL(name, call, parameters, arguments, half_arguments) \
	KEEP(name);                                              \
	ssize_t name parameters                                  \
	{                                                        \
		int error = error_of(call);                      \
								 \
		if (error == 0)                                  \
			return REAL(name) arguments;             \
		if (error == HALF)                               \
			return REAL(name) half_arguments;        \
		if (error == LOST)                               \
			(void)REAL(name) arguments;              \
		if (error != EINTR)                              \
			cut(call, fd);                           \
		errno = error == LOST ? ECONNRESET : error;      \
		return -1;                                       \
	}

#define SOME(n) ((n) > 1 ? (n) / 2 : (n))

/* A connection of which the kernel once said that it is broken stays so: who
 * writes in vain reads the end. */
static void
cut(enum call call, int fd)
{
	if (call == SEND || call == RECV)
		(void)shutdown(fd, SHUT_RDWR);
}

PARTIAL(write, WRITE, (int fd, const void *data, size_t n), (fd, data, n),
    (fd, data, SOME(n)))
PARTIAL(read, READ, (int fd, void *data, size_t n), (fd, data, n),
    (fd, data, SOME(n)))
PARTIAL(send, SEND, (int fd, const void *data, size_t n, int flags),
    (fd, data, n, flags), (fd, data, SOME(n), flags))
PARTIAL(recv, RECV, (int fd, void *data, size_t n, int flags),
    (fd, data, n, flags), (fd, data, SOME(n), flags))

SIMPLE(int, fsync, FSYNC, -1, (int fd), (fd))
SIMPLE(int, rename, RENAME, -1, (const char *a, const char *b), (a, b))
SIMPLE(int, renameat, RENAME, -1,
    (int one, const char *a, int two, const char *b), (one, a, two, b))
SIMPLE(int, unlink, UNLINK, -1, (const char *path), (path))
SIMPLE(int, unlinkat, UNLINK, -1, (int at, const char *path, int flags),
    (at, path, flags))
SIMPLE(int, fstat, STAT, -1, (int fd, struct stat *st), (fd, st))
SIMPLE(int, stat, STAT, -1, (const char *path, struct stat *st), (path, st))
SIMPLE(int, fstatat, STAT, -1,
    (int at, const char *path, struct stat *st, int flags),
    (at, path, st, flags))
SIMPLE(int, fstatvfs, STATVFS, -1, (int fd, struct statvfs *st), (fd, st))
SIMPLE(int, statvfs, STATVFS, -1, (const char *path, struct statvfs *st),
    (path, st))
SIMPLE(int, mkdir, MKDIR, -1, (const char *path, mode_t mode), (path, mode))
SIMPLE(int, mkdirat, MKDIR, -1, (int at, const char *path, mode_t mode),
    (at, path, mode))
SIMPLE(struct dirent *, readdir, READDIR, NULL, (DIR *of), (of))
SIMPLE(DIR *, fdopendir, READDIR, NULL, (int fd), (fd))
SIMPLE(int, flock, FLOCK, -1, (int fd, int operation), (fd, operation))
SIMPLE(int, connect, CONNECT, -1,
    (int fd, const struct sockaddr *to, socklen_t n), (fd, to, n))
SIMPLE(int, socket, SOCKET, -1, (int domain, int type, int protocol),
    (domain, type, protocol))
SIMPLE(int, poll, POLL, -1, (struct pollfd *fds, nfds_t n, int limit),
    (fds, n, limit))
SIMPLE(pid_t, fork, FORK, -1, (void), ())
SIMPLE(void *, mmap, MMAP, MAP_FAILED,
    (void *at, size_t n, int how, int flags, int fd, off_t from),
    (at, n, how, flags, fd, from))
SIMPLE(int, access, ACCESS, -1, (const char *path, int how), (path, how))
SIMPLE(int, faccessat, ACCESS, -1,
    (int at, const char *path, int how, int flags), (at, path, how, flags))

/* What a descriptor held is given up whatever close() says (close(2)). */
KEEP(close);
int
close(int fd)
{
	int error = error_of(CLOSE);
	int result = REAL(close)(fd);

	if (error == 0)
		return result;
	errno = error >= HALF ? EIO : error;
	return -1;
}

/* gcc's own counters are no part of the program. */
static bool
is_counter(const char *path)
{
	size_t n = strlen(path);

	return n > 5 && strcmp(path + n - 5, ".gcda") == 0;
}

static int
error_of_open(const char *path)
{
	int error = is_counter(path) ? 0 : error_of(OPEN);

	return error >= HALF ? EIO : error;
}

#define MODE(flags, mode)                                        \
	do {                                                     \
		if (((flags) & (O_CREAT | __O_TMPFILE)) != 0) {  \
			va_list list;                            \
								 \
			va_start(list, flags);                   \
			mode = va_arg(list, mode_t);             \
			va_end(list);                            \
		}                                                \
	} while (0)

KEEP(open);
int
open(const char *path, int flags, ...)
{
	mode_t mode = 0;
	int error = error_of_open(path);

	MODE(flags, mode);
	if (error == 0)
		return REAL(open)(path, flags, mode);
	errno = error;
	return -1;
}

KEEP(openat);
int
openat(int at, const char *path, int flags, ...)
{
	mode_t mode = 0;
	int error = error_of_open(path);

	MODE(flags, mode);
	if (error == 0)
		return REAL(openat)(at, path, flags, mode);
	errno = error;
	return -1;
}

#undef fopen
KEEP(fopen);
FILE *
fopen(const char *path, const char *mode)
{
	int error = error_of_open(path);

	if (error == 0)
		return REAL(fopen)(path, mode);
	errno = error;
	return NULL;
}

/* With _FORTIFY_SOURCE these are the names. */
int __poll_chk(struct pollfd *fds, nfds_t n, int limit, size_t size);
ssize_t __read_chk(int fd, void *data, size_t n, size_t size);
ssize_t __recv_chk(int fd, void *data, size_t n, size_t size, int flags);

int
__poll_chk(struct pollfd *fds, nfds_t n, int limit, size_t size)
{
	(void)size;
	return poll(fds, n, limit);
}

ssize_t
__read_chk(int fd, void *data, size_t n, size_t size)
{
	(void)size;
	return read(fd, data, n);
}

ssize_t
__recv_chk(int fd, void *data, size_t n, size_t size, int flags)
{
	(void)size;
	return recv(fd, data, n, flags);
}

KEEP(clock_gettime);
int
clock_gettime(clockid_t clock, struct timespec *now)
{
	int result = REAL(clock_gettime)(clock, now);

	if (control != NULL && clock == CLOCK_REALTIME)
		now->tv_sec += control->ahead_s;
	return result;
}

time_t
time(time_t *kept)
{
	struct timespec now;

	(void)clock_gettime(CLOCK_REALTIME, &now);
	if (kept != NULL)
		*kept = now.tv_sec;
	return now.tv_sec;
}

#ifdef WITH_MEMORY /* the sanitizers have their own */
void *__libc_malloc(size_t n);
void *__libc_calloc(size_t count, size_t n);
void *__libc_realloc(void *at, size_t n);

void *
malloc(size_t n)
{
	if (error_of(MEMORY) == 0)
		return __libc_malloc(n);
	errno = ENOMEM;
	return NULL;
}

void *
calloc(size_t count, size_t n)
{
	if (error_of(MEMORY) == 0)
		return __libc_calloc(count, n);
	errno = ENOMEM;
	return NULL;
}

void *
realloc(void *at, size_t n)
{
	if (error_of(MEMORY) == 0)
		return __libc_realloc(at, n);
	errno = ENOMEM;
	return NULL;
}
#endif
