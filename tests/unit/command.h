/*
 * Runs a command in a process of its own, as somebody at a terminal or a unit
 * would: its exit status and what it said, stderr and then stdout.  For one file of
 * a program.
 */
#ifndef WAYBILL_UNIT_COMMAND_H
#define WAYBILL_UNIT_COMMAND_H

#include "ctl/commands.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

enum { COMMAND_SAID_MAX = 32 * 1024, COMMAND_WORDS_MAX = 12 };

const char *command_file; /* main.c's */

typedef int command_function(const struct conf *, int count, char **words);

/* `line` is the command and its words.  What it said stays until the next one. */
int command_run(command_function *run, const struct conf *conf,
    const char *line, const char **said);

int
command_run(command_function *run, const struct conf *conf, const char *line,
    const char **said)
{
	static char text[COMMAND_SAID_MAX];
	char copy[512];
	char *words[COMMAND_WORDS_MAX + 1] = { NULL };
	int count = 0, status = -1;
	int fd = memfd_create("said", MFD_CLOEXEC);
	ssize_t bytes;
	pid_t pid;

	(void)snprintf(copy, sizeof(copy), "%s", line);
	for (char *word = strtok(copy, " "); word != NULL;
	     word = strtok(NULL, " "))
		words[count++] = word;
	(void)fflush(NULL);
	pid = fork();
	if (pid == 0) {
		if (dup2(fd, STDOUT_FILENO) < 0 || dup2(fd, STDERR_FILENO) < 0)
			abort();
		exit(run(conf, count, words));
	}
	if (pid < 0 || waitpid(pid, &status, 0) != pid)
		abort();
	bytes = pread(fd, text, sizeof(text) - 1, 0);
	text[bytes < 0 ? 0 : bytes] = '\0';
	(void)close(fd);
	*said = text;
	return WIFEXITED(status) ? WEXITSTATUS(status) : 128;
}

#endif
