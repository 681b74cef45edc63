/*
 * What ends its process, in one of its own: for one file of a program.
 */
#ifndef WAYBILL_ENDING_H
#define WAYBILL_ENDING_H

#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

enum { ENDING_SAID_BYTES = 4096 };

/* It logs a line that begins so and then ends: by exit(1), or by abort(). */
static void
assert_ends(void (*run)(void *), void *context, bool is_panic, const char *line)
{
	char said[ENDING_SAID_BYTES];
	FILE *heard = tmpfile();
	size_t bytes;
	int status;
	pid_t pid;

	assert_non_null(heard);
	pid = fork();
	assert_true(pid >= 0);
	if (pid == 0) {
		if (dup2(fileno(heard), STDERR_FILENO) >= 0)
			run(context);
		_exit(0);
	}
	assert_int_equal(waitpid(pid, &status, 0), pid);
	rewind(heard);
	bytes = fread(said, 1, sizeof(said) - 1, heard);
	said[bytes] = '\0';
	assert_int_equal(fclose(heard), 0);
	if (strncmp(said, line, strlen(line)) != 0)
		fail_msg("said: \"%s\"", said);
	if (is_panic)
		assert_true(WIFSIGNALED(status) && WTERMSIG(status) == SIGABRT);
	else
		assert_true(WIFEXITED(status) && WEXITSTATUS(status) == 1);
}

#endif
