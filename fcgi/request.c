/*
 * One request through libfcgi: accept, read, write, finish, forget.
 *
 * Signals that mean "stop" are blocked but while we wait for a connection, so
 * that an accepted request is always finished.  We wait with epoll and
 * EPOLLEXCLUSIVE: of many idle workers one wakes for a connection (poll would
 * wake all of them), and always the same one first, so that the rest can be
 * seen to be superfluous.
 * What must stay true: `busy_since_ms` is set before libfcgi reads from a peer,
 * which it does without any limit of time; and all that came is copied into
 * the arena, because libfcgi forgets it in FCGX_Finish_r().
 */
#include "fcgi/request.h"

#include "fcgi/mask.h"
#include "fcgi/params.h"
#include "fcgi/phrase.h"
#include "shared/clock.h"
#include "shared/hmac.h"
#include "shared/log.h"

#include <errno.h>
#include <fcgiapp.h>
#include <fcntl.h>
#include <malloc.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <time.h>
#include <unistd.h>

enum {
	ARENA_MAX_BYTES = 4 * 1024 * 1024,
	BODY_MAX_BYTES = 64 * 1024 * 1024, /* handlers ask for less */
	BODY_KEEP_BYTES = 64 * 1024,       /* a larger one is large */
	ID_MAX_BYTES = 64,
	ID_RANDOM_BYTES = 16,
	ACCEPT_PAUSE_MS = 50, /* while the system is short of something */
};

/* What only libfcgi needs, and the public part. */
struct live {
	struct request request;
	FCGX_Request fcgx;
	int epoll_fd;
	sigset_t waiting;    /* the mask while we wait */
	char **params;       /* "NAME=value", in the arena; ends with NULL */
	int64_t finished_us; /* the client had all of the answer; 0: not yet */
	bool is_short;       /* of what accepting needs; was logged */
	bool has_last;       /* told to stop, and looked once more */
};

struct request *
request_new(struct service *service, int listen_fd)
{
	struct epoll_event readable = { .events = EPOLLIN | EPOLLEXCLUSIVE };
	static struct live only; /* a worker has one at a time */
	struct live *live = &only;

	live->request.live = live;
	live->request.service = service;
	live->request.arena = arena_new(ARENA_MAX_BYTES);
	buf_init(&live->request.body, BODY_MAX_BYTES);
	live->epoll_fd = epoll_create1(EPOLL_CLOEXEC);
	/* Several workers wake for one connection, one gets it. */
	if (live->epoll_fd < 0 || fcntl(listen_fd, F_SETFL, O_NONBLOCK) != 0 ||
	    epoll_ctl(live->epoll_fd, EPOLL_CTL_ADD, listen_fd, &readable) != 0)
		log_fatal("request.new", strerror(errno));
	/* Cannot fail, with signals that there are. */
	(void)sigprocmask(SIG_SETMASK, NULL, &live->waiting);
	(void)sigdelset(&live->waiting, SIGTERM);
	(void)sigdelset(&live->waiting, SIGUSR1);
	if (FCGX_Init() != 0 ||
	    FCGX_InitRequest(
		&live->fcgx, listen_fd, FCGI_FAIL_ACCEPT_ON_INTR) != 0)
		log_fatal("request.new", "libfcgi cannot start");
	return &live->request;
}

/* Under load a wait returns at once and never delivers a signal: look. */
static bool
is_signal_pending(void)
{
	sigset_t pending;

	(void)sigpending(&pending); /* cannot fail */
	return sigismember(&pending, SIGTERM) == 1 ||
	    sigismember(&pending, SIGUSR1) == 1;
}

bool
request_is_stopping(const volatile bool *is_stopping)
{
	return *is_stopping || is_signal_pending();
}

/* Waits until somebody connects or the time is over (0 ms: looks only).  False:
 * nobody did. */
static bool
wait_readable(struct live *live, int timeout_ms)
{
	struct epoll_event event;

	return epoll_pwait(
		   live->epoll_fd, &event, 1, timeout_ms, &live->waiting) > 0;
}

/* For epoll: -1 is for ever. */
static int
timeout_of(int64_t quiet_ms)
{
	return quiet_ms == 0 ? -1 : clock_left_ms(quiet_ms);
}

static void
mark(struct request *rq, enum slot_state state, int64_t busy_since_ms)
{
	struct slot *slot = rq->service->slot;

	slot->busy_since_ms = busy_since_ms;
	slot->state = (int32_t)state;
}

/* After FCGX_Accept_r() returned `result`: what can pass is waited for. */
static void
look_at_failure(struct live *live, int result)
{
	const struct timespec pause = { .tv_nsec = ACCEPT_PAUSE_MS * 1000000L };

	switch (-result) {
	case EAGAIN: /* another worker was faster */
	case EINTR:
	case ECONNABORTED:
		return;
	case EBADF:
	case EINVAL:
	case ENOTSOCK:
	case EOPNOTSUPP:
		log_fatal("worker.accept", "not a listening socket");
	default: /* EMFILE, ENFILE, ENOMEM, ENOBUFS, and what we do not know */
		if (!live->is_short)
			log_event(LOG_WARNING, "worker.accept",
			    LOG_TEXT("error", strerror(abs(result))),
			    LOG_TEXT("next", "trying again and again"));
		live->is_short = true;
		(void)nanosleep(&pause, NULL); /* shorter does no harm */
	}
}

static bool
is_id(const char *id)
{
	size_t bytes = strlen(id);

	return bytes > 0 && bytes <= ID_MAX_BYTES &&
	    strspn(id,
		"abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ"
		"0123456789._-") == bytes;
}

static const char *
make_id(struct arena *arena)
{
	static const char digits[] = "0123456789abcdef";
	unsigned char random[ID_RANDOM_BYTES];
	char hex[2 * ID_RANDOM_BYTES];
	size_t i;

	hmac_random(random, sizeof(random));
	for (i = 0; i < sizeof(random); i++) {
		hex[2 * i] = digits[random[i] >> 4];
		hex[2 * i + 1] = digits[random[i] & 15];
	}
	return arena_copy(arena, hex, sizeof(hex));
}

/* The path alone, with one slash where there were several in a row. */
static const char *
make_path(struct arena *arena, const char *target, size_t bytes)
{
	char *path = arena_copy(arena, target, bytes);
	char *to = path;
	const char *from;

	for (from = path; *from != '\0'; from++)
		if (*from != '/' || to == path || to[-1] != '/')
			*to++ = *from;
	*to = '\0';
	return path;
}

static const char *
value_or(const struct request *rq, const char *name, const char *fallback)
{
	const char *value = request_header(rq, name);

	return value != NULL ? value : fallback;
}

static void
fill(struct live *live)
{
	struct request *rq = &live->request;
	size_t path_bytes;

	live->params = params_copy(rq->arena, live->fcgx.envp);
	live->finished_us = 0;
	live->is_short = false;
	rq->id = value_or(rq, "REQUEST_ID", "");
	/* It goes everywhere: a key that somebody sends as one must not. */
	if (!is_id(rq->id) || mask_finds_key(rq->id))
		rq->id = make_id(rq->arena);
	rq->method = value_or(rq, "REQUEST_METHOD", "");
	rq->address = value_or(rq, "REMOTE_ADDR", "");
	rq->target = value_or(rq, "REQUEST_URI", "/");
	path_bytes = strcspn(rq->target, "?");
	rq->path = make_path(rq->arena, rq->target, path_bytes);
	rq->query = rq->target + path_bytes;
	if (*rq->query == '?')
		rq->query++;
	rq->is_head = strcmp(rq->method, "HEAD") == 0;
}

enum request_event
request_accept(
    struct request *rq, const volatile bool *is_stopping, int64_t quiet_ms)
{
	struct live *live = rq->live;

	for (;;) {
		bool is_told = request_is_stopping(is_stopping);
		int timeout_ms = is_told ? 0 : timeout_of(quiet_ms);
		int result;

		/* Told to stop: one more look, because the connection that
		 * this worker was woken for wakes nobody else. */
		if (is_told && live->has_last)
			return REQUEST_STOP;
		live->has_last = is_told;
		if (!wait_readable(live, timeout_ms)) {
			if (timeout_ms == 0 && !is_told)
				return REQUEST_NONE;
			continue;
		}
		rq->started_us = clock_us();
		mark(rq, SLOT_BUSY, clock_ms());
		result = FCGX_Accept_r(&live->fcgx);
		if (result == 0)
			break;
		mark(rq, SLOT_IDLE, 0);
		look_at_failure(live, result);
	}
	/* nginx asks to keep it, only so that it looks for our end. */
	live->fcgx.keepConnection = 0;
	fill(live);
	return REQUEST_CAME;
}

const char *
request_header(const struct request *rq, const char *cgi_name)
{
	return params_value(rq->live->params, cgi_name);
}

bool
request_has_doubled_header(const struct request *rq)
{
	return params_are_doubled(rq->live->params);
}

long long
request_content_length(const struct request *rq)
{
	const char *text = value_or(rq, "CONTENT_LENGTH", "");

	/* 18 digits always fit. */
	if (strlen(text) > 18 || strspn(text, "0123456789") != strlen(text))
		return -1;
	return strtoll(text, NULL, 10); /* nothing: 0 */
}

bool
request_read_body(struct request *rq, size_t max_bytes)
{
	struct live *live = rq->live;
	long long length = request_content_length(rq);
	char *room;

	buf_reset(&rq->body, BODY_KEEP_BYTES);
	if (length < 0 || length > (long long)max_bytes)
		return false;
	room = buf_room(&rq->body, (size_t)length);
	if (room == NULL)
		return false;
	/* A peer that dies early looks like the end of the body: count. */
	if (FCGX_GetStr(room, (int)length, live->fcgx.in) != (int)length ||
	    FCGX_GetChar(live->fcgx.in) != EOF ||
	    FCGX_GetError(live->fcgx.in) != 0)
		return false;
	rq->body.len = (size_t)length;
	return true;
}

bool
request_has_client(struct request *rq)
{
	struct pollfd peer = {
		.fd = rq->live->fcgx.ipcFd,
		.events = POLLRDHUP,
	};

	/* nginx says nothing more until we are done, but keeps its side open. */
	if (poll(&peer, 1, 0) > 0)
		rq->is_client_gone = true;
	return !rq->is_client_gone;
}

/* What is written at once is in a buf or the arena, whose maximum an int holds. */
static void
put(struct live *live, const char *data, size_t bytes)
{
	struct request *rq = &live->request;

	if (!rq->is_client_gone &&
	    FCGX_PutStr(data, (int)bytes, live->fcgx.out) != (int)bytes)
		rq->is_client_gone = true;
}

static void
put_string(struct live *live, const char *text)
{
	put(live, text, strlen(text));
}

static bool
is_clean(const char *text)
{
	for (; *text != '\0'; text++)
		if ((unsigned char)*text < 0x20 || *text == 0x7f)
			return false;
	return true;
}

/* A line break in a header would be a header, or an answer, of its own. */
static void
put_header(struct live *live, const struct request_header *header)
{
	if (!is_clean(header->value) || !is_clean(header->name) ||
	    header->name[0] == '\0' || strchr(header->name, ':') != NULL) {
		log_event(LOG_ERROR, "answer.header.refused",
		    LOG_TEXT("request_id", live->request.id),
		    LOG_TEXT("header", header->name));
		return;
	}
	put_string(live, header->name);
	put_string(live, ": ");
	put_string(live, header->value);
	put_string(live, "\r\n");
}

/* Of this request so far; 0 where there is no such other side. */
static int64_t
database_us(const struct service *service)
{
	int64_t us = service->db == NULL ? 0 : db_spent_us(service->db);

	if (service->primary != NULL && service->primary != service->db)
		us += db_spent_us(service->primary);
	return us;
}

static int64_t
upstream_us(const struct service *service)
{
	return service->easypost == NULL ? 0
					 : easypost_spent_us(service->easypost);
}

static const char *
milliseconds(struct arena *arena, int64_t us)
{
	return arena_printf(
	    arena, "%lld.%03d", (long long)(us / 1000), (int)(us % 1000));
}

/* Where the time went until now (Server-Timing, in milliseconds). */
static void
put_timing(struct live *live)
{
	struct request *rq = &live->request;

	put_string(live,
	    arena_printf(rq->arena,
		"Server-Timing: total;dur=%s, db;dur=%s, upstream;dur=%s\r\n",
		milliseconds(rq->arena, clock_us() - rq->started_us),
		milliseconds(rq->arena, database_us(rq->service)),
		milliseconds(rq->arena, upstream_us(rq->service))));
}

static void
put_rate(struct live *live)
{
	const struct request *rq = &live->request;

	if (rq->rate_policy == NULL)
		return;
	put_header(live,
	    &(struct request_header){ "RateLimit-Policy", rq->rate_policy });
	put_header(
	    live, &(struct request_header){ "RateLimit", rq->rate_state });
}

void
request_start_answer(struct request *rq, int status,
    const struct request_header *headers, int count)
{
	struct live *live = rq->live;
	int i;

	if (rq->status != 0 || live->finished_us != 0)
		log_panic("answer.start", "an answer was started before");
	if (status < 200 || status > 599)
		log_panic("answer.start", "not a status of an answer");
	rq->status = status;
	put_string(live,
	    arena_printf(
		rq->arena, "Status: %d %s\r\n", status, phrase_find(status)));
	put_header(live, &(struct request_header){ "X-Request-Id", rq->id });
	put_timing(live);
	put_rate(live);
	for (i = 0; i < count; i++)
		put_header(live, &headers[i]);
	put_string(live, "\r\n");
}

void
request_write(struct request *rq, const void *data, size_t bytes)
{
	if (rq->status == 0 || rq->live->finished_us != 0)
		log_panic("answer.write", "the answer is not open");
	if (rq->is_head)
		return;
	put(rq->live, data, bytes);
	rq->bytes += bytes;
}

void
request_progress(struct request *rq)
{
	mark(rq, SLOT_BUSY, clock_ms());
}

void
request_break(struct request *rq)
{
	struct live *live = rq->live;

	if (live->finished_us != 0)
		return;
	rq->is_broken = true;
	/* Closed without the end of the request: nginx does the same to the
	 * client, who then knows that it does not have all. */
	FCGX_Free(&live->fcgx, 1);
	live->finished_us = clock_us();
}

void
request_finish(struct request *rq)
{
	struct live *live = rq->live;
	int fd = live->fcgx.ipcFd;

	if (live->finished_us != 0)
		return;
	/* In this order the last of the answer and its end are one write. */
	if (FCGX_FClose(live->fcgx.err) != 0 ||
	    FCGX_FClose(live->fcgx.out) != 0)
		rq->is_client_gone = true;
	if (request_content_length(rq) == 0 ||
	    FCGX_HasSeenEOF(live->fcgx.in) == EOF) {
		FCGX_Free(&live->fcgx, 0);
		live->fcgx.ipcFd = -1;
		(void)close(fd); /* what is written stays */
	} else {
		/* Who is still sending must not be told off by a reset: this
		 * waits until nginx has hung up. */
		FCGX_Finish_r(&live->fcgx);
	}
	live->finished_us = clock_us();
}

const char *
request_caller(const struct request *rq)
{
	switch (rq->caller.kind) {
	case CALLER_GATEWAY_KEY:
		return rq->caller.key_id;
	case CALLER_EASYPOST_KEY:
		return rq->caller.is_test ? "easypost-test" : "easypost";
	case CALLER_NOBODY:
		break;
	}
	return NULL;
}

const char *
request_mode(const struct request *rq)
{
	return rq->caller.is_test ? "test" : "production";
}

static void
forget_spent(const struct service *service)
{
	if (service->db != NULL)
		db_forget_spent(service->db);
	if (service->primary != NULL)
		db_forget_spent(service->primary);
	if (service->easypost != NULL)
		easypost_forget_spent(service->easypost);
}

static void
measure(struct request *rq)
{
	const struct service *service = rq->service;

	rq->total_us = rq->live->finished_us - rq->started_us;
	rq->database_us = database_us(service);
	rq->upstream_us = upstream_us(service);
	forget_spent(service);
}

/* after_ms: how long the worker was busy when the client had its answer. */
static void
log_access(struct request *rq)
{
	log_event(LOG_INFO, "request", LOG_TEXT("request_id", rq->id),
	    LOG_TEXT("pool", rq->service->pool->name),
	    LOG_TEXT("method", rq->method),
	    LOG_TEXT("path", mask_keys(rq->arena, rq->path)),
	    LOG_TEXT("route", rq->route), LOG_NUMBER("status", rq->status),
	    LOG_NUMBER("bytes", (long long)rq->bytes),
	    LOG_TEXT("total_ms", milliseconds(rq->arena, rq->total_us)),
	    LOG_TEXT("database_ms", milliseconds(rq->arena, rq->database_us)),
	    LOG_TEXT("upstream_ms", milliseconds(rq->arena, rq->upstream_us)),
	    LOG_TEXT("after_ms",
		milliseconds(rq->arena, clock_us() - rq->live->finished_us)),
	    LOG_TEXT("caller", request_caller(rq)),
	    LOG_TEXT("error", rq->error_code),
	    LOG_NUMBER("client_gone", rq->is_client_gone));
}

/* All that belongs to one request; the rest of the struct stays. */
static void
forget(struct request *rq)
{
	struct request empty = {
		.live = rq->live,
		.service = rq->service,
		.arena = rq->arena,
		.body = rq->body,
	};

	bool is_large = rq->is_large || rq->body.len > BODY_KEEP_BYTES;

	*rq = empty;
	rq->live->params = NULL;
	buf_reset(&rq->body, BODY_KEEP_BYTES);
	arena_reset(rq->arena);
	/* malloc keeps what one large document took, and a worker that got one
	 * would be as large for the rest of its life. */
	if (is_large)
		(void)malloc_trim(0); /* says whether there was any */
}

void
request_end(struct request *rq)
{
	struct slot *slot = rq->service->slot;

	request_finish(rq);
	measure(rq);
	log_access(rq);
	slot->is_connected =
	    rq->service->db != NULL && db_is_connected(rq->service->db);
	slot->errors += rq->status >= 500;
	slot->requests += 1;
}

void
request_forget(struct request *rq)
{
	forget(rq);
	mark(rq, SLOT_IDLE, 0);
}

void
request_begin_duty(struct request *rq)
{
	static char *nothing[] = { NULL };

	rq->live->params = nothing;
	rq->started_us = clock_us();
	rq->live->finished_us = rq->started_us; /* there is no one to answer */
	mark(rq, SLOT_BUSY, clock_ms());
}

void
request_end_duty(struct request *rq)
{
	forget_spent(rq->service);
	rq->service->slot->is_connected =
	    rq->service->db != NULL && db_is_connected(rq->service->db);
	request_forget(rq);
}
