/*
 * The counters of a program that ends by abort() or _exit(), or becomes another one,
 * which libgcov does not see.  What is killed loses its own.  Linked by
 * `make coverage`.
 */
#include <stdbool.h>
#include <stdlib.h>
#include <unistd.h>

enum {
	BEFORE_GCOV = 101
}; /* its own destructors have 100, and so come later */

/* Of tests/env/failing.c, when that is loaded: libgcov does not survive it. */
void failing_spare(bool is_spared) __attribute__((weak));

void __gcov_dump(void);
void __gcov_reset(void);
int __real_execvp(const char *file, char *const argv[]);
int __wrap_execvp(const char *file, char *const argv[]);
_Noreturn void __real_abort(void);
_Noreturn void __wrap_abort(void);
_Noreturn void __real__exit(int status);
_Noreturn void __wrap__exit(int status);

static void
spare(bool is_spared)
{
	if (failing_spare != NULL)
		failing_spare(is_spared);
}

__attribute__((destructor(BEFORE_GCOV))) static void
end(void)
{
	spare(true);
}

_Noreturn void
__wrap_abort(void)
{
	spare(true);
	__gcov_dump();
	__real_abort();
}

_Noreturn void
__wrap__exit(int status)
{
	spare(true);
	__gcov_dump();
	__real__exit(status);
}

/* When it returns it goes on counting, from nothing. */
int
__wrap_execvp(const char *file, char *const argv[])
{
	spare(true);
	__gcov_dump();
	__gcov_reset();
	spare(false);
	return __real_execvp(file, argv);
}
