/*
 * A server that speaks as much of PostgreSQL's protocol (version 3) as one call
 * needs, and misbehaves as it is told: for one file of a program.
 *
 * It answers whatever is executed with three rows, (1, null), (2, "NaN") and
 * (3, "x"), or does what fake_do() has said before.
 */
#ifndef WAYBILL_FAKE_POSTGRES_H
#define WAYBILL_FAKE_POSTGRES_H

#include <arpa/inet.h>
#include <poll.h>
#include <sched.h>
#include <signal.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

enum { FAKE_ROWS = 3, FAKE_MESSAGE_MAX = 1024 };

enum fake_deed {
	FAKE_ANSWER,
	FAKE_NO_ROW,         /* as an answer that has none */
	FAKE_REFUSE,         /* an ERROR with the code */
	FAKE_REFUSE_BARE,    /* one that says nothing but that it is one */
	FAKE_REFUSE_OPEN,    /* an ERROR; then it says it is in a transaction */
	FAKE_REFUSE_AND_END, /* an ERROR, then FATAL, then the end */
	FAKE_END,            /* FATAL, and the end */
	FAKE_BREAK,          /* the end after a row */
	FAKE_RAVE,           /* what is no message, instead of rows */
	FAKE_SILENCE,
	FAKE_NOTICES, /* an answer with a notice before and after it */
	FAKE_DEAF,    /* reads nothing more, from the beginning on */
	FAKE_CLOSED,  /* lets nobody in, with the code */
};

static struct fake {
	_Atomic bool is_taken; /* a deed is being said or begun */
	_Atomic int deed;
	_Atomic int times; /* as often, then it answers */
	_Atomic int executed;
	_Atomic int connections;
	char code[6];
	char directory[64]; /* host= of a connection */
	pid_t pid;
} * fake;

static void
fake_take(void)
{
	while (atomic_exchange(&fake->is_taken, true))
		(void)sched_yield();
}

static void
fake_do(enum fake_deed deed, int times, const char *code)
{
	fake_take();
	(void)snprintf(fake->code, sizeof(fake->code), "%s", code);
	fake->deed = (int)deed;
	fake->times = times;
	fake->executed = 0;
	fake->connections = 0;
	fake->is_taken = false;
}

/* One message: its type, its length and the bytes. */
static void
fake_say(FILE *to, char type, const char *bytes, size_t count)
{
	uint32_t length = htonl((uint32_t)count + 4);

	(void)fputc(type, to); /* who has gone does not listen */
	(void)fwrite(&length, sizeof(length), 1, to);
	(void)fwrite(bytes, 1, count, to);
}

#define FAKE_SAY(to, type, bytes) fake_say(to, type, bytes, sizeof(bytes) - 1)

static void
fake_say_error(FILE *to, char type, const char *severity, const char *code)
{
	char text[FAKE_MESSAGE_MAX];
	int bytes =
	    snprintf(text, sizeof(text), "S%s%cV%s%cC%s%cMno, because%c",
		severity, 0, severity, 0, code, 0, 0);

	fake_say(to, type, text, (size_t)bytes + 1);
}

static void
fake_say_ready(FILE *to, char state)
{
	fake_say(to, 'Z', &state, 1);
	(void)fflush(to);
}

/* int4 and numeric, as text. */
static void
fake_say_columns(FILE *to)
{
	FAKE_SAY(to, 'T',
	    "\0\2n\0\0\0\0\0\0\0\0\0\0\27\0\4\377\377\377\377\0\0"
	    "value\0\0\0\0\0\0\0\0\0\6\244\377\377\377\377\377\377\0\0");
}

static void
fake_say_rows(FILE *to, int count)
{
	if (count > 0)
		FAKE_SAY(to, 'D', "\0\2\0\0\0\0011\377\377\377\377");
	if (count > 1)
		FAKE_SAY(to, 'D', "\0\2\0\0\0\0012\0\0\0\3NaN");
	if (count > 2)
		FAKE_SAY(to, 'D', "\0\2\0\0\0\0013\0\0\0\1x");
}

static void
fake_wait_for_the_end(FILE *to)
{
	struct pollfd one = { .fd = fileno(to) };

	(void)fflush(to);
	while ((one.revents & POLLHUP) == 0)
		(void)poll(&one, 1, 1000); /* our parent ends us, else */
}

/* False ends the connection. */
static bool
fake_execute(FILE *to, enum fake_deed deed)
{
	static const char rubbish[] = "D\0\0\0\2";

	switch (deed) {
	case FAKE_REFUSE:
	case FAKE_REFUSE_OPEN:
		fake_say_error(to, 'E', "ERROR", fake->code);
		return true;
	case FAKE_REFUSE_BARE:
		FAKE_SAY(to, 'E', "SERROR\0VERROR\0\0");
		return true;
	case FAKE_REFUSE_AND_END:
		fake_say_error(to, 'E', "ERROR", fake->code);
		fake_say_error(to, 'E', "FATAL", "57P01");
		return false;
	case FAKE_END:
		fake_say_error(to, 'E', "FATAL", "57P01");
		return false;
	case FAKE_BREAK:
		fake_say_rows(to, 1);
		return false;
	case FAKE_RAVE:
		(void)fwrite(rubbish, 1, sizeof(rubbish) - 1, to);
		fake_wait_for_the_end(to);
		return false;
	case FAKE_SILENCE:
		fake_wait_for_the_end(to);
		return false;
	case FAKE_NOTICES:
		fake_say_error(to, 'N', "NOTICE", "00000");
		break;
	default:
		break;
	}
	fake_say_rows(to, deed == FAKE_NO_ROW ? 0 : FAKE_ROWS);
	FAKE_SAY(to, 'C', "SELECT 3\0");
	return true;
}

/* What comes after the answer. */
static void
fake_add(FILE *to, enum fake_deed deed)
{
	fake_say_ready(to, deed == FAKE_REFUSE_OPEN ? 'T' : 'I');
	if (deed == FAKE_NOTICES)
		fake_say_error(to, 'N', "NOTICE", "00000");
	(void)fflush(to);
}

/* Reads a message; its length, or 0 at the end. */
static size_t
fake_hear(FILE *from, char *type, char *bytes)
{
	uint32_t length;
	size_t count;

	if (type != NULL && fread(type, 1, 1, from) != 1)
		return 0;
	if (fread(&length, sizeof(length), 1, from) != 1)
		return 0;
	count = ntohl(length) - 4;
	for (size_t i = 0; i < count; i++) {
		int byte = fgetc(from);

		if (byte == EOF)
			return 0;
		if (i < FAKE_MESSAGE_MAX)
			bytes[i] = (char)byte;
	}
	return count + 4;
}

static bool
fake_has_lost(FILE *to)
{
	struct pollfd one = { .fd = fileno(to) };

	(void)poll(&one, 1, 0);
	return (one.revents & POLLHUP) != 0;
}

/* A deed is done while something is executed: for who is there, not for one whose
 * call was given up before the deed was said.  False when he has gone. */
static bool
fake_next_deed(FILE *to, enum fake_deed *deed)
{
	bool has_lost;

	fake_take();
	has_lost = fake_has_lost(to);
	*deed = FAKE_ANSWER;
	if (!has_lost && fake->times > 0) {
		fake->times--;
		*deed = (enum fake_deed)fake->deed;
	}
	fake->executed += !has_lost;
	fake->is_taken = false;
	return !has_lost;
}

static void
fake_serve(FILE *from, FILE *to)
{
	char bytes[FAKE_MESSAGE_MAX];
	enum fake_deed deed = FAKE_ANSWER;
	char type = 0;

	fake->connections++;
	if (fake_hear(from, NULL, bytes) == 0)
		return;
	if (fake->deed == FAKE_CLOSED && fake->times > 0) {
		fake->times--;
		fake_say_error(to, 'E', "FATAL", fake->code);
		return;
	}
	FAKE_SAY(to, 'R', "\0\0\0\0");
	FAKE_SAY(to, 'S', "server_version\00015.0\0");
	fake_say_ready(to, 'I');
	if (fake->deed == FAKE_DEAF && fake->times > 0) {
		fake->times--;
		fake_wait_for_the_end(to);
		return;
	}
	while (fake_hear(from, &type, bytes) > 0) {
		if (type == 'P')
			FAKE_SAY(to, '1', "");
		else if (type == 'B')
			FAKE_SAY(to, '2', "");
		else if (type == 'D')
			fake_say_columns(to);
		else if (type == 'Q' && strncmp(bytes, "deall", 5) == 0)
			FAKE_SAY(to, 'C', "DEALLOCATE ALL\0");
		else if (type == 'E' || type == 'Q') {
			if (!fake_next_deed(to, &deed))
				return;
			if (type == 'Q')
				fake_say_columns(to);
			if (!fake_execute(to, deed))
				return;
		}
		if (type == 'S' || type == 'Q') {
			fake_add(to, deed);
			deed = FAKE_ANSWER;
		}
	}
}

/* Each connection in a process of its own, which ends with its parent. */
static _Noreturn void
fake_run(int listener)
{
	(void)signal(SIGPIPE, SIG_IGN);
	(void)signal(SIGCHLD, SIG_IGN);
	(void)prctl(PR_SET_PDEATHSIG, SIGKILL);
	for (;;) {
		int fd = accept(listener, NULL, NULL);

		if (fork() == 0) {
			FILE *from = fdopen(fd, "r");
			FILE *to = fdopen(dup(fd), "w");

			(void)prctl(PR_SET_PDEATHSIG, SIGKILL);
			if (from != NULL && to != NULL)
				fake_serve(from, to);
			if (to != NULL)
				(void)fflush(to);
			_exit(0);
		}
		(void)close(fd); /* the child has it */
	}
}

static void
fake_start(void)
{
	struct sockaddr_un address = { .sun_family = AF_UNIX };
	int listener = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
	pid_t pid;

	fake = mmap(NULL, sizeof(*fake), PROT_READ | PROT_WRITE,
	    MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	assert_true(fake != MAP_FAILED && listener >= 0);
	(void)snprintf(fake->directory, sizeof(fake->directory),
	    "/tmp/fake-postgres-XXXXXX");
	assert_non_null(mkdtemp(fake->directory));
	(void)snprintf(address.sun_path, sizeof(address.sun_path),
	    "%s/.s.PGSQL.5432", fake->directory);
	assert_int_equal(
	    bind(listener, (const struct sockaddr *)&address, sizeof(address)),
	    0);
	assert_int_equal(listen(listener, 16), 0);
	pid = fork();
	assert_true(pid >= 0);
	if (pid == 0)
		fake_run(listener);
	fake->pid = pid;
	assert_int_equal(close(listener), 0);
}

static void
fake_stop(void)
{
	char path[128];
	int status;

	assert_int_equal(kill(fake->pid, SIGKILL), 0);
	assert_int_equal(waitpid(fake->pid, &status, 0), fake->pid);
	(void)snprintf(path, sizeof(path), "%s/.s.PGSQL.5432", fake->directory);
	assert_int_equal(unlink(path), 0);
	assert_int_equal(rmdir(fake->directory), 0);
	assert_int_equal(munmap(fake, sizeof(*fake)), 0);
}

#endif
