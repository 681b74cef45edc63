/*
 * One worker: prefork, one request at a time, one connection to PostgreSQL.
 *
 * It is started by crew.c with the signals that mean "stop" blocked, and keeps
 * them so but while it waits for a request.  It reports when it took a request
 * and nobody is left idle; how many workers there are is not its concern.
 * What must stay true: nothing big is made here before the first request, so
 * that workers go on sharing the supervisor's pages.
 */
#include "fcgi/worker.h"

#include "fcgi/activity.h"
#include "fcgi/backlog.h"
#include "fcgi/breaker.h"
#include "fcgi/request.h"
#include "fcgi/response.h"
#include "fcgi/route.h"
#include "shared/clock.h"
#include "shared/counters.h"
#include "shared/db.h"
#include "shared/easypost.h"
#include "shared/log.h"

#include <errno.h>
#include <limits.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum { JITTER_PARTS = 10 }; /* up to a tenth of WORKER_REQUESTS more */

static volatile bool is_stopping;
static struct service service;

static void
note_stop(int signal)
{
	(void)signal; /* one handler, one meaning */
	is_stopping = true;
}

static void
handle(int signal, void (*handler)(int))
{
	struct sigaction action = { .sa_handler = handler };

	(void)sigaction(signal, &action, NULL); /* there is such a signal */
}

/* Before libfcgi looks: it leaves handlers alone that are not the default.  No
 * SA_RESTART, so that a wait ends.  Ctrl-C in a terminal reaches us, too, but
 * only the supervisor decides; it tells us with SIGTERM. */
static void
set_signals(void)
{
	sigset_t blocked;

	handle(SIGTERM, note_stop);
	handle(SIGUSR1, note_stop);
	handle(SIGINT, SIG_IGN);
	handle(SIGHUP, SIG_IGN);
	handle(SIGCHLD, SIG_DFL);
	(void)sigemptyset(&blocked); /* cannot fail, as those below */
	(void)sigaddset(&blocked, SIGTERM);
	(void)sigaddset(&blocked, SIGUSR1);
	(void)sigprocmask(SIG_SETMASK, &blocked, NULL);
}

/* Limits of libfcgi's own waits, in milliseconds: for nginx to close after an
 * answer (it does at once) and for the first byte of a request (it comes with
 * the connection; a peer that sends nothing must not hold a worker for long). */
static void
set_library_limits(void)
{
	if (setenv("LIBFCGI_OS_CLOSE_POLL_TIMEOUT", "200", 1) != 0 ||
	    setenv("LIBFCGI_IS_AF_UNIX_KEEPER_POLL_TIMEOUT", "1000", 1) != 0)
		log_fatal("worker.start", "out of memory");
}

/* NULL when there is no URL.  Connects with its first call. */
static struct db *
make_db(const struct conf *conf, const struct pool *pool, const char *url)
{
	struct db_options options = {
		.url = url,
		.role = "waybill_worker",
		.connect_ms = conf->database_connect_ms,
		.statement_ms = pool->statement_ms,
		.recycle_s = conf->database_recycle_s,
		.echo = conf->database_echo,
	};
	char *name;

	if (*url == '\0')
		return NULL;
	if (conf->database_command_ms < options.statement_ms)
		options.statement_ms = conf->database_command_ms;
	if (asprintf(&name, "waybill-%s", pool->name) < 0)
		log_fatal("worker.start", "out of memory");
	options.name = name;
	return db_new(&options);
}

/* Only the pool that reads goes to a replica, and to the primary for the few
 * requests that write. */
static void
make_databases(const struct conf *conf, const struct pool *pool)
{
	const char *replica = conf->secrets.database_read_url;

	service.primary = make_db(conf, pool, conf->secrets.database_url);
	service.db = service.primary;
	if (pool_id(pool) == POOL_READ && *replica != '\0')
		service.db = make_db(conf, pool, replica);
}

static struct throttle *
open_throttle(const struct conf *conf)
{
	char path[PATH_MAX];

	(void)snprintf(path, sizeof(path), "%s/throttle", conf->run_dir);
	return throttle_open(path); /* it fits: see conf.c */
}

static void
make_service(const struct worker_start *start)
{
	const struct conf *conf = start->conf;

	service.conf = conf;
	service.pool = start->pool;
	service.scoreboard = start->scoreboard;
	service.slot = scoreboard_slot(start->scoreboard, start->slot);
	service.slot->is_exporting = false; /* whoever had it before */
	service.throttle = open_throttle(conf);
	make_databases(conf, start->pool);
	if (pool_id(start->pool) == POOL_UPSTREAM)
		service.easypost = easypost_new(
		    conf->easypost_api_base, conf->easypost_ca_file);
	if (service.easypost != NULL)
		easypost_observe(service.easypost, counters_note_upstream,
		    scoreboard_counters(start->scoreboard));
}

/* Different for each worker, so that not all of them retire at once. */
static long
requests_of_life(const struct conf *conf)
{
	long jitter = conf->worker_requests / JITTER_PARTS;

	return conf->worker_requests + (long)getpid() % (jitter + 1);
}

static void
report_when_nobody_is_idle(const struct worker_start *start)
{
	if (scoreboard_sum(start->scoreboard).idle == 0 &&
	    write(start->busy_fd, "b", 1) < 0 && errno != EAGAIN &&
	    errno != EPIPE) /* full: it is awake; broken: it is gone */
		log_event(LOG_WARNING, "worker.report",
		    LOG_TEXT("error", strerror(errno)));
}

static void
count(const struct request *rq)
{
	counters_note_request(scoreboard_counters(service.scoreboard),
	    &(struct counters_request){
		.route = rq->route,
		.method = rq->method,
		.status = rq->status,
		.total_us = rq->total_us,
		.database_us = rq->database_us,
	    });
}

static void
serve(struct request *rq)
{
	route_request(rq);
	if (rq->status == 0)
		response_refuse(
		    rq, 500, "INTERNAL", NULL, "No answer was made.");
	request_finish(rq);
	if (rq->service->db != NULL)
		breaker_probe(rq);
	request_end(rq);
	count(rq);
	activity_note(rq);
	request_forget(rq);
}

/* Waits for requests and serves them; what was put off has its turn while nobody
 * comes. */
static void
work(struct request *rq, const struct worker_start *start)
{
	long left = requests_of_life(start->conf);

	while (left > 0) {
		int64_t quiet_ms = backlog_due_ms(&service, start->slot);

		switch (request_accept(rq, &is_stopping, quiet_ms)) {
		case REQUEST_CAME:
			report_when_nobody_is_idle(start);
			serve(rq);
			left--;
			break;
		case REQUEST_NONE:
			backlog_work(rq, &is_stopping);
			break;
		case REQUEST_STOP:
			return;
		}
	}
}

int
worker_run(const struct worker_start *start)
{
	struct request *rq;

	set_signals();
	set_library_limits();
	make_service(start);
	rq = request_new(&service, start->listen_fd);
	handle(SIGPIPE, SIG_IGN); /* libfcgi's handler is of no use to others */
	service.slot->state = SLOT_IDLE;
	work(rq, start);
	/* Should the exit hang, the supervisor knows since when. */
	service.slot->busy_since_ms = clock_ms();
	service.slot->state = SLOT_STOPPING;
	return EXIT_SUCCESS;
}
