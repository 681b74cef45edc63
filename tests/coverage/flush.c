/*
 * The counters of a program that ends by abort() or _exit(), or becomes another one,
 * which libgcov does not see.  What is killed loses its own.  Linked by
 * `make coverage`.
 */
#include <stdlib.h>
#include <unistd.h>

void __gcov_dump(void);
void __gcov_reset(void);
int __real_execvp(const char *file, char *const argv[]);
int __wrap_execvp(const char *file, char *const argv[]);
_Noreturn void __real_abort(void);
_Noreturn void __wrap_abort(void);
_Noreturn void __real__exit(int status);
_Noreturn void __wrap__exit(int status);

_Noreturn void
__wrap_abort(void)
{
	__gcov_dump();
	__real_abort();
}

_Noreturn void
__wrap__exit(int status)
{
	__gcov_dump();
	__real__exit(status);
}

/* When it returns it goes on counting, from nothing. */
int
__wrap_execvp(const char *file, char *const argv[])
{
	__gcov_dump();
	__gcov_reset();
	return __real_execvp(file, argv);
}
