/*
 * How many workers, and when: growth, shrinking, reload, stop.
 *
 * One loop: wait, look at signals and reports, bury, enforce, decide.  Signals
 * come as bytes (signalfd) and are blocked for good, across fork and exec, so
 * that none is lost and none interrupts.  The wait is as long as nothing has to
 * be done; a deadline is known from when the oldest request began.
 * What must stay true: never fewer workers ready than the base for a reason of
 * our own making; a configuration that does not load changes nothing; after
 * SIGTERM the last worker has finished its request before we exit.
 */
#include "fcgi/supervisor.h"

#include "fcgi/crew.h"
#include "fcgi/growth.h"
#include "fcgi/listen.h"
#include "fcgi/route.h"
#include "shared/clock.h"
#include "shared/log.h"
#include "shared/notify.h"
#include "shared/scoreboard.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/signalfd.h>
#include <sys/types.h>
#include <sys/wait.h>
#include <unistd.h>

enum {
	STARTING_LOOK_MS = 5, /* starting takes about as long */
	LINGER_LOOK_MS = 20,
	TEST_MAX_MS = 20000, /* for the child that tests the configuration */
};

struct reload {
	bool is_wanted;
	pid_t test_pid; /* 0: no test is running */
	int64_t test_ms;
};

struct supervisor {
	const struct supervisor_start *start;
	const char *board_path;
	struct listen listen;
	struct crew *crew;
	int signal_fd;
	int report_fds[2];
	int target; /* workers to keep while a generation is replaced */
	struct growth growth;
	struct reload reload;
	int64_t stop_ms;     /* told to stop; 0: not */
	bool is_told;        /* the crew, too */
	bool is_ready;       /* systemd knows */
	int64_t watchdog_ms; /* how often it wants to hear of us; 0: not */
	int64_t watched_ms;  /* last time */
	int64_t next_ms;     /* when the loop has to run again */
};

/* The loop runs again at this time, or before. */
static void
wake_at(struct supervisor *sv, int64_t at_ms)
{
	if (at_ms < sv->next_ms)
		sv->next_ms = at_ms;
}

/* -- signals ------------------------------------------------------------ */

/* From now on signals wait to be read. */
static sigset_t
hold_signals(void)
{
	static const int wanted[] = { SIGTERM, SIGINT, SIGHUP, SIGCHLD };
	sigset_t ours;
	size_t i;

	/* With signals that there are none of these calls can fail. */
	(void)sigemptyset(&ours);
	for (i = 0; i < sizeof(wanted) / sizeof(*wanted); i++) {
		(void)sigaddset(&ours, wanted[i]);
		/* Whoever started us may have ignored it. */
		(void)signal(wanted[i], SIG_DFL);
	}
	/* A log that nobody reads must not end us. */
	(void)signal(SIGPIPE, SIG_IGN);
	(void)sigprocmask(SIG_SETMASK, &ours, NULL);
	return ours;
}

static void
open_signals(struct supervisor *sv, const sigset_t *ours)
{
	sv->signal_fd = signalfd(-1, ours, SFD_NONBLOCK | SFD_CLOEXEC);
	if (sv->signal_fd < 0)
		log_fatal("supervisor.signals", strerror(errno));
}

static void
begin_stop(struct supervisor *sv)
{
	if (sv->stop_ms != 0)
		return;
	sv->stop_ms = clock_ms();
	log_event(LOG_NOTICE, "supervisor.stop",
	    LOG_NUMBER("workers", crew_count(sv->crew).all));
	notify_send("STOPPING=1");
	/* Nobody new finds us; who is in the backlog is still answered. */
	listen_remove(&sv->listen);
}

static void
read_signals(struct supervisor *sv)
{
	struct signalfd_siginfo signal;

	while (read(sv->signal_fd, &signal, sizeof(signal)) ==
	    (ssize_t)sizeof(signal)) {
		if (signal.ssi_signo == SIGTERM || signal.ssi_signo == SIGINT)
			begin_stop(sv);
		if (signal.ssi_signo == SIGHUP)
			sv->reload.is_wanted = true;
	}
	/* SIGCHLD only ends the wait. */
	crew_bury(sv->crew);
}

/* -- growing and shrinking ---------------------------------------------- */

static void
read_reports(struct supervisor *sv)
{
	char bytes[512];
	bool is_any = false;

	while (read(sv->report_fds[0], bytes, sizeof(bytes)) > 0)
		is_any = true;
	if (is_any)
		growth_report(&sv->growth, clock_ms());
}

static void
start_some(struct supervisor *sv, int count)
{
	int64_t next_ms;

	while (count > 0 && crew_start(sv->crew))
		count--;
	next_ms = clock_ms() + STARTING_LOOK_MS;
	if (crew_next_start_ms(sv->crew) > next_ms)
		next_ms = crew_next_start_ms(sv->crew);
	wake_at(sv, next_ms);
}

static void
resize(struct supervisor *sv, int64_t now_ms)
{
	struct crew_count count = crew_count(sv->crew);
	const struct growth_view view = {
		.working = count.working,
		.starting = count.starting,
		.idle = count.idle,
		.is_in_change = count.old > 0,
	};
	int more = growth_decide(&sv->growth, &view, now_ms, &sv->next_ms);

	if (more == 0)
		return;
	log_event(LOG_INFO, "supervisor.resize",
	    LOG_NUMBER("workers", count.working), LOG_NUMBER("more", more));
	if (more > 0)
		start_some(sv, more);
	/* None is idle any more: then they are needed after all. */
	while (more++ < 0)
		(void)crew_retire_idle(sv->crew);
}

/* -- reload ------------------------------------------------------------- */

/* In a child: asks a fresh copy of the program what it thinks. */
static _Noreturn void
test_configuration(char **argv)
{
	static char option[] = "-t";
	sigset_t none;
	size_t count = 0;
	char **test;

	while (argv[count] != NULL)
		count++;
	test = calloc(count + 2, sizeof(*test));
	if (test == NULL)
		_exit(EXIT_FAILURE);
	test[0] = argv[0];
	test[1] = option;
	memcpy(test + 2, argv + 1, (count - 1) * sizeof(*test));
	(void)sigemptyset(&none);
	(void)sigprocmask(SIG_SETMASK, &none, NULL);
	(void)execvp(test[0], test);
	log_event(LOG_ERROR, "supervisor.reload", LOG_TEXT("program", test[0]),
	    LOG_TEXT("error", strerror(errno)));
	_exit(EXIT_FAILURE);
}

/* Becomes the program as it is now on disk: same process, same socket, same
 * children.  Returns only when that failed. */
static void
replace_self(struct supervisor *sv)
{
	char state[64];

	(void)snprintf(state, sizeof(state), "RELOADING=1\nMONOTONIC_USEC=%lld",
	    (long long)clock_us()); /* fits */
	notify_send(state);
	log_event(LOG_NOTICE, "supervisor.reload",
	    LOG_NUMBER("workers", crew_count(sv->crew).all));
	listen_hand_on(&sv->listen);
	(void)execvp(sv->start->argv[0], sv->start->argv);
	log_event(LOG_ERROR, "supervisor.reload",
	    LOG_TEXT("program", sv->start->argv[0]),
	    LOG_TEXT("error", strerror(errno)));
	listen_keep(&sv->listen);
	notify_send("READY=1");
}

static void
begin_test(struct supervisor *sv, int64_t now_ms)
{
	pid_t pid;

	sv->reload.is_wanted = false;
	pid = fork();
	if (pid == 0)
		test_configuration(sv->start->argv);
	if (pid < 0) {
		log_event(LOG_ERROR, "supervisor.reload",
		    LOG_TEXT("error", strerror(errno)));
		return;
	}
	sv->reload.test_pid = pid;
	sv->reload.test_ms = now_ms;
}

static void
end_test(struct supervisor *sv, int64_t now_ms)
{
	int status = 0;
	pid_t gone = waitpid(sv->reload.test_pid, &status, WNOHANG);

	if (gone == 0) {
		wake_at(sv, sv->reload.test_ms + TEST_MAX_MS);
		if (now_ms - sv->reload.test_ms >= TEST_MAX_MS)
			(void)kill(sv->reload.test_pid, SIGKILL); /* ours */
		return;
	}
	sv->reload.test_pid = 0;
	if (gone > 0 && status == 0)
		replace_self(sv);
	else
		log_event(LOG_ERROR, "supervisor.reload",
		    LOG_TEXT("reason", "the configuration was refused"),
		    LOG_TEXT("next", "going on with the old one"));
}

/* A new generation is begun only after the last one is complete. */
static void
look_at_reload(struct supervisor *sv, int64_t now_ms)
{
	if (sv->reload.test_pid != 0)
		end_test(sv, now_ms);
	else if (sv->reload.is_wanted && crew_count(sv->crew).old == 0)
		begin_test(sv, now_ms);
}

/* One new worker, then one old one less, until no old one is left. */
static void
replace_old(struct supervisor *sv)
{
	struct crew_count count = crew_count(sv->crew);

	if (count.old == 0)
		return;
	if (count.starting == 0 && count.working <= sv->target) {
		start_some(sv, 1);
		return;
	}
	if (count.starting == 0)
		(void)crew_retire_old(sv->crew); /* there is one: count.old */
	wake_at(sv, clock_ms() + STARTING_LOOK_MS);
}

/* -- the loop ----------------------------------------------------------- */

static void
keep_base(struct supervisor *sv)
{
	struct crew_count count = crew_count(sv->crew);
	bool has_database = *sv->start->conf->secrets.database_url != '\0';

	if (count.working < sv->growth.base)
		start_some(sv, sv->growth.base - count.working);
	if (count.starting > 0)
		wake_at(sv, clock_ms() + STARTING_LOOK_MS);
	if (sv->is_ready || count.old > 0 ||
	    count.idle + count.busy < sv->growth.base)
		return;
	sv->is_ready = true;
	log_event(LOG_NOTICE, "supervisor.ready",
	    LOG_NUMBER("base", sv->growth.base),
	    LOG_NUMBER("limit", sv->growth.limit), LOG_NUMBER("pid", getpid()),
	    LOG_TEXT("database", has_database ? "configured" : "none"));
	notify_send("READY=1");
}

static bool
is_backlog_empty(const struct supervisor *sv)
{
	struct pollfd waiting = { .fd = sv->listen.fd, .events = POLLIN };

	return poll(&waiting, 1, 0) <= 0;
}

/* What waits in the backlog of our own socket would be lost with it; that of
 * systemd's is for our successor. */
static void
stop(struct supervisor *sv, int64_t now_ms)
{
	if (sv->is_told)
		return;
	if (sv->listen.is_ours && !is_backlog_empty(sv) &&
	    now_ms - sv->stop_ms < sv->start->pool->request_ms) {
		keep_base(sv);
		wake_at(sv, now_ms + LINGER_LOOK_MS);
		return;
	}
	sv->is_told = true;
	crew_retire_all(sv->crew);
	wake_at(sv, now_ms);
}

static void
watch(struct supervisor *sv, int64_t now_ms)
{
	if (sv->watchdog_ms == 0)
		return;
	if (now_ms - sv->watched_ms >= sv->watchdog_ms) {
		notify_send("WATCHDOG=1");
		sv->watched_ms = now_ms;
	}
	wake_at(sv, sv->watched_ms + sv->watchdog_ms);
}

static void
decide(struct supervisor *sv)
{
	int64_t now_ms = clock_ms();

	sv->next_ms = INT64_MAX;
	wake_at(sv, crew_enforce(sv->crew));
	watch(sv, now_ms);
	if (sv->stop_ms != 0) {
		stop(sv, now_ms);
		return;
	}
	look_at_reload(sv, now_ms);
	keep_base(sv);
	replace_old(sv);
	resize(sv, now_ms);
}

static void
wait_for_something(struct supervisor *sv)
{
	bool is_deaf = growth_is_deaf(&sv->growth, clock_ms());
	struct pollfd fds[] = {
		{ .fd = sv->signal_fd, .events = POLLIN },
		{ .fd = is_deaf ? -1 : sv->report_fds[0], .events = POLLIN },
	};

	/* Whatever ended the wait, all is looked at. */
	(void)poll(fds, 2, clock_left_ms(sv->next_ms));
	read_signals(sv);
	if (!is_deaf)
		read_reports(sv);
}

static struct scoreboard *
make_board(const struct supervisor *sv)
{
	const struct pool *pool = sv->start->pool;
	/* Room for those that still answer while others replace them. */
	struct scoreboard *board =
	    scoreboard_create(sv->board_path, 2 * sv->growth.limit + 2);
	const char *pattern;

	scoreboard_set_size(board, sv->growth.base, sv->growth.limit);
	for (int i = 0; (pattern = route_pattern(i)) != NULL; i++)
		if (route_pool(i) == pool_id(pool))
			counters_add_route(scoreboard_counters(board), pattern);
	return board;
}

static void
prepare(struct supervisor *sv, const struct supervisor_start *start)
{
	const char *path = start->socket_path;
	/* Before anybody can reach us, who then may tell us to end. */
	sigset_t signals = hold_signals();

	sv->start = start;
	sv->growth.base = pool_base(start->pool, start->conf);
	sv->growth.limit = pool_limit(start->pool, start->conf);
	sv->watchdog_ms = notify_watchdog_ms();
	if (path == NULL)
		path = pool_socket_path(start->pool, start->conf);
	/* First of all files: its place must be free. */
	sv->listen = listen_open(path, start->socket_path != NULL);
	open_signals(sv, &signals);
	if (pipe2(sv->report_fds, O_NONBLOCK | O_CLOEXEC) != 0)
		log_fatal("supervisor.pipe", strerror(errno));
	sv->board_path = pool_scoreboard_path(start->pool, start->conf);
	sv->crew = crew_new(&(struct crew_options){
	    .conf = start->conf,
	    .pool = start->pool,
	    .scoreboard = make_board(sv),
	    .listen_fd = sv->listen.fd,
	    .report_fd = sv->report_fds[1],
	});
	/* As many as there were, so that a reload under load costs nothing. */
	sv->target = crew_count(sv->crew).working;
	if (sv->target < sv->growth.base)
		sv->target = sv->growth.base;
	if (sv->target > sv->growth.limit)
		sv->target = sv->growth.limit;
}

int
supervisor_run(const struct supervisor_start *start)
{
	static struct supervisor sv;

	prepare(&sv, start);
	do {
		decide(&sv);
		wait_for_something(&sv);
	} while (!sv.is_told || crew_count(sv.crew).all > 0);
	/* Also when it is gone already: nothing is left to do about it. */
	(void)unlink(sv.board_path);
	log_event(LOG_NOTICE, "supervisor.end",
	    LOG_NUMBER("took_ms", clock_ms() - sv.stop_ms));
	return EXIT_SUCCESS;
}
