/*
 * The counters of a program that ends by abort() or _exit(), which libgcov does
 * not see.  What is killed loses its own.  Linked by `make coverage`.
 */
#include <stdlib.h>
#include <unistd.h>

void __gcov_dump(void);
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
