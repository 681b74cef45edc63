/*
 * Calls to the system that fail when a test wants it: for one file of a program,
 * which is linked with --wrap for each of them (FAULTS in the Makefile).
 *
 *	fault_arm("fsync", 2, EIO);     the second one from now on fails, once
 *	fault_disarm();                 whether it did
 */
#ifndef WAYBILL_FAULTS_H
#define WAYBILL_FAULTS_H

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <time.h>
#include <unistd.h>

static struct {
	const char *call; /* NULL: none */
	int left;         /* calls until it fails */
	int error;        /* 0: it takes a byte instead of all of them */
} fault;

static inline void
fault_arm(const char *call, int nth, int error)
{
	fault.call = call;
	fault.left = nth;
	fault.error = error;
}

static inline bool
fault_disarm(void)
{
	bool has_failed = fault.call != NULL && fault.left <= 0;

	fault.call = NULL;
	return has_failed;
}

static bool
fault_is_now(const char *call)
{
	if (fault.call == NULL || strcmp(fault.call, call) != 0 ||
	    --fault.left != 0)
		return false;
	errno = fault.error;
	return true;
}

/* NAME(parameters), which returns `bad` when it fails. */
#define FAULTY(type, name, bad, parameters, arguments)                      \
	type __real_##name parameters;                                      \
	type __wrap_##name parameters;                                      \
	type __wrap_##name parameters                                       \
	{                                                                   \
		return fault_is_now(#name) ? bad : __real_##name arguments; \
	}

/* The same for what may take less than it was given. */
#define FAULTY_PART(name, parameters, arguments, byte)             \
	ssize_t __real_##name parameters;                          \
	ssize_t __wrap_##name parameters;                          \
	ssize_t __wrap_##name parameters                           \
	{                                                          \
		if (!fault_is_now(#name))                          \
			return __real_##name arguments;            \
		return fault.error == 0 ? __real_##name byte : -1; \
	}

/* clang-format off */
FAULTY_PART(write, (int fd, const void *data, size_t n), (fd, data, n),
    (fd, data, 1))
FAULTY_PART(read, (int fd, void *data, size_t n), (fd, data, n), (fd, data, 1))
FAULTY(ssize_t, pread, -1, (int fd, void *data, size_t n, off_t at),
    (fd, data, n, at))
FAULTY(ssize_t, pwrite, -1, (int fd, const void *data, size_t n, off_t at),
    (fd, data, n, at))
FAULTY(int, rename, -1, (const char *from, const char *to), (from, to))
FAULTY(int, renameat, -1,
    (int from_at, const char *from, int to_at, const char *to),
    (from_at, from, to_at, to))
FAULTY(int, unlink, -1, (const char *path), (path))
FAULTY(int, unlinkat, -1, (int at, const char *path, int flags),
    (at, path, flags))
FAULTY(int, mkdirat, -1, (int at, const char *path, mode_t mode),
    (at, path, mode))
FAULTY(int, fstat, -1, (int fd, struct stat *status), (fd, status))
FAULTY(int, fstatat, -1,
    (int at, const char *path, struct stat *status, int flags),
    (at, path, status, flags))
FAULTY(int, fstatvfs, -1, (int fd, struct statvfs *disk), (fd, disk))
FAULTY(int, faccessat, -1, (int at, const char *path, int mode, int flags),
    (at, path, mode, flags))
FAULTY(int, flock, -1, (int fd, int operation), (fd, operation))
FAULTY(DIR *, fdopendir, NULL, (int fd), (fd))
FAULTY(struct dirent *, readdir, NULL, (DIR *directory), (directory))
FAULTY(void *, mmap, MAP_FAILED,
    (void *at, size_t n, int protection, int flags, int fd, off_t from),
    (at, n, protection, flags, fd, from))
/* It returns the error. */
FAULTY(int, posix_fallocate, fault.error, (int fd, off_t from, off_t n),
    (fd, from, n))
FAULTY(void *, malloc, NULL, (size_t n), (n))
FAULTY(void *, calloc, NULL, (size_t count, size_t n), (count, n))
FAULTY(void *, realloc, NULL, (void *at, size_t n), (at, n))
/* clang-format on */

/* No power is cut here. */
int __wrap_fsync(int fd);

int
__wrap_fsync(int fd)
{
	(void)fd;
	return fault_is_now("fsync") ? -1 : 0;
}

/* How far all clocks are ahead. */
static long fault_ahead_s;

int __real_clock_gettime(clockid_t clock, struct timespec *now);
int __wrap_clock_gettime(clockid_t clock, struct timespec *now);

int
__wrap_clock_gettime(clockid_t clock, struct timespec *now)
{
	if (fault_is_now("clock_gettime") ||
	    __real_clock_gettime(clock, now) != 0)
		return -1;
	now->tv_sec += fault_ahead_s;
	return 0;
}

/* It is closed all the same (close(2)). */
int __real_close(int fd);
int __wrap_close(int fd);

int
__wrap_close(int fd)
{
	bool is_bad = fault_is_now("close");
	int result = __real_close(fd);

	if (!is_bad)
		return result;
	errno = fault.error;
	return -1;
}

int __real_openat(int at, const char *path, int flags, ...);
int __wrap_openat(int at, const char *path, int flags, ...);

int
__wrap_openat(int at, const char *path, int flags, ...)
{
	mode_t mode = 0;
	va_list list;

	va_start(list, flags);
	if ((flags & O_CREAT) != 0)
		mode = va_arg(list, mode_t);
	va_end(list);
	return fault_is_now("openat") ? -1
				      : __real_openat(at, path, flags, mode);
}

#endif
