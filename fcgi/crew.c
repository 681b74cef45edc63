/*
 * Fork, tell, kill, bury, brake.
 *
 * A worker is told to stop with SIGTERM, again and again until it is gone: a
 * signal can come too early to be seen.  It is killed when it has been busy, or
 * starting, or told to stop, for longer than a request of this pool may take.
 * The brake: a worker that dies while it starts or in its first request doubles
 * the pause before the next start, any other that dies young costs the least
 * pause.  It never gives up; a worker that serves or lives releases it.
 * What must stay true: signals are blocked across fork(2); a process id is
 * signalled only while it is a child that nobody has waited for.
 */
#include "fcgi/crew.h"

#include "fcgi/worker.h"
#include "shared/clock.h"
#include "shared/log.h"

#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/types.h>
#include <sys/wait.h>
#include <unistd.h>

enum {
	TELL_AGAIN_MS = 200,
	YOUNG_MS = 1000, /* who dies before that has not succeeded */
	PAUSE_LEAST_MS = 20,
	PAUSE_MOST_MS = 1000,
	LOOK_MS = 50, /* while a killed worker is not buried yet */
};

struct member {
	pid_t pid; /* 0: none */
	int64_t started_ms;
	int64_t told_ms;      /* to stop, for the first time; 0: not yet */
	int64_t told_last_ms; /* to stop */
	int64_t requests;     /* the slot's count when it started */
	bool is_old;
	bool is_killed;
};

struct crew {
	struct crew_options options;
	struct member *members; /* as many as slots */
	int slots;
	int generation;
	int64_t pause_ms; /* of the brake */
	int64_t failed_ms;
	int64_t next_start_ms;
};

static struct slot *
slot_of(const struct crew *crew, int i)
{
	return scoreboard_slot(crew->options.scoreboard, i);
}

static struct counters *
counters_of(const struct crew *crew)
{
	return scoreboard_counters(crew->options.scoreboard);
}

static void
clear_slot(struct slot *slot)
{
	slot->state = SLOT_FREE;
	slot->pid = 0;
	slot->busy_since_ms = 0;
	slot->is_connected = 0;
}

/* The slot of this worker, or a free one (0); -1 when there is none. */
static int
find_slot(const struct crew *crew, pid_t pid)
{
	int i;

	for (i = 0; i < crew->slots; i++)
		if (slot_of(crew, i)->pid == (int32_t)pid)
			return i;
	return -1;
}

static void
tell(struct member *member, int64_t now_ms)
{
	if (member->told_ms == 0)
		member->told_ms = now_ms;
	member->told_last_ms = now_ms;
	/* Cannot fail: it is our child, alive or not yet buried. */
	(void)kill(member->pid, SIGTERM);
}

/* A child from before the exec.  One whose slot we do not know (its scoreboard
 * had another layout) finishes its request and goes. */
static void
adopt(struct crew *crew, pid_t pid, int64_t now_ms)
{
	int i = find_slot(crew, pid);
	struct member *member;

	if (i < 0)
		i = find_slot(crew, 0);
	if (i < 0) {
		(void)kill(pid, SIGKILL); /* more children than slots */
		return;
	}
	member = &crew->members[i];
	*member = (struct member){
		.pid = pid,
		.started_ms = slot_of(crew, i)->started_ms,
		.requests = slot_of(crew, i)->requests,
		.is_old = true,
	};
	if (slot_of(crew, i)->pid != (int32_t)pid ||
	    slot_of(crew, i)->state == SLOT_STOPPING)
		tell(member, now_ms);
	slot_of(crew, i)->pid = (int32_t)pid;
}

static void
adopt_children(struct crew *crew)
{
	FILE *file = fopen("/proc/thread-self/children", "re");
	char *word = NULL;
	size_t size = 0;

	if (file == NULL)
		return; /* a kernel without it: the orphans go unseen */
	while (getdelim(&word, &size, ' ', file) > 0) {
		long pid = strtol(word, NULL, 10);

		if (pid > 0)
			adopt(crew, (pid_t)pid, clock_ms());
	}
	free(word);
	(void)fclose(file); /* was only read */
}

struct crew *
crew_new(const struct crew_options *options)
{
	struct crew *crew = calloc(1, sizeof(*crew));
	int i;

	if (crew == NULL)
		log_fatal("crew.new", "out of memory");
	crew->options = *options;
	crew->slots = scoreboard_slots(options->scoreboard);
	crew->members = calloc((size_t)crew->slots, sizeof(*crew->members));
	if (crew->members == NULL)
		log_fatal("crew.new", "out of memory");
	for (i = 0; i < crew->slots; i++)
		if (slot_of(crew, i)->generation > crew->generation)
			crew->generation = slot_of(crew, i)->generation;
	crew->generation++;
	adopt_children(crew);
	for (i = 0; i < crew->slots; i++)
		if (crew->members[i].pid == 0)
			clear_slot(slot_of(crew, i));
	return crew;
}

/* In the child. */
static _Noreturn void
become_worker(const struct crew *crew, int i, pid_t parent)
{
	const struct worker_start start = {
		.conf = crew->options.conf,
		.pool = crew->options.pool,
		.scoreboard = crew->options.scoreboard,
		.slot = i,
		.listen_fd = crew->options.listen_fd,
		.busy_fd = crew->options.report_fd,
	};

	/* The signal comes when the parent dies; it may be dead already. */
	if (prctl(PR_SET_PDEATHSIG, SIGTERM) != 0 || getppid() != parent)
		_exit(EXIT_FAILURE);
	exit(worker_run(&start));
}

static void
put_brake_on(struct crew *crew, int64_t now_ms)
{
	crew->pause_ms *= 2;
	if (crew->pause_ms < PAUSE_LEAST_MS)
		crew->pause_ms = PAUSE_LEAST_MS;
	if (crew->pause_ms > PAUSE_MOST_MS)
		crew->pause_ms = PAUSE_MOST_MS;
	crew->failed_ms = now_ms;
	crew->next_start_ms = now_ms + crew->pause_ms;
}

bool
crew_start(struct crew *crew)
{
	int64_t now_ms = clock_ms();
	int i = find_slot(crew, 0);
	struct slot *slot;
	pid_t parent = getpid();
	pid_t pid;

	if (now_ms < crew->next_start_ms || i < 0)
		return false;
	slot = slot_of(crew, i);
	slot->generation = crew->generation;
	slot->started_ms = now_ms;
	slot->state = SLOT_STARTING;
	pid = fork();
	if (pid == 0)
		become_worker(crew, i, parent);
	if (pid < 0) {
		log_event(LOG_ERROR, "worker.fork",
		    LOG_TEXT("error", strerror(errno)));
		clear_slot(slot);
		put_brake_on(crew, now_ms);
		return false;
	}
	slot->pid = (int32_t)pid;
	counters_of(crew)->workers_started += 1;
	crew->members[i] = (struct member){
		.pid = pid,
		.started_ms = now_ms,
		.requests = slot->requests,
	};
	return true;
}

int64_t
crew_next_start_ms(const struct crew *crew)
{
	return crew->next_start_ms;
}

bool
crew_retire_old(struct crew *crew)
{
	int found = -1;
	int i;

	/* An idle one is gone at once; take a busy one when none is idle. */
	for (i = 0; i < crew->slots; i++) {
		const struct member *member = &crew->members[i];

		if (member->pid == 0 || member->told_ms != 0 || !member->is_old)
			continue;
		if (found < 0 || slot_of(crew, i)->state == SLOT_IDLE)
			found = i;
	}
	if (found >= 0)
		tell(&crew->members[found], clock_ms());
	return found >= 0;
}

bool
crew_retire_idle(struct crew *crew)
{
	int i;

	/* The last one: the first ones get what there is to do. */
	for (i = crew->slots - 1; i >= 0; i--) {
		struct member *member = &crew->members[i];

		if (member->pid == 0 || member->told_ms != 0 ||
		    slot_of(crew, i)->state != SLOT_IDLE)
			continue;
		tell(member, clock_ms());
		return true;
	}
	return false;
}

void
crew_retire_all(struct crew *crew)
{
	int64_t now_ms = clock_ms();
	int i;

	for (i = 0; i < crew->slots; i++)
		if (crew->members[i].pid != 0 && crew->members[i].told_ms == 0)
			tell(&crew->members[i], now_ms);
}

static int64_t
served(const struct crew *crew, int i)
{
	return slot_of(crew, i)->requests - crew->members[i].requests;
}

/* True when a worker that started after the last failure is well. */
static bool
has_survivor(const struct crew *crew, int64_t now_ms)
{
	int i;

	for (i = 0; i < crew->slots; i++)
		if (crew->members[i].pid != 0 &&
		    crew->members[i].started_ms > crew->failed_ms &&
		    (served(crew, i) > 0 ||
			now_ms - crew->members[i].started_ms >= YOUNG_MS))
			return true;
	return false;
}

/* What the death of a worker, not caused by us, means for the next start.  An
 * idle one only waits: whatever ended that came from outside. */
static void
look_at_death(struct crew *crew, int i, int64_t now_ms)
{
	int32_t state = slot_of(crew, i)->state;

	if (crew->pause_ms != 0 && has_survivor(crew, now_ms))
		crew->pause_ms = 0;
	if (state == SLOT_STARTING ||
	    (state == SLOT_BUSY && served(crew, i) == 0)) {
		/* Of several started together one counts. */
		if (crew->members[i].started_ms > crew->failed_ms)
			put_brake_on(crew, now_ms);
	} else if (now_ms - crew->members[i].started_ms < YOUNG_MS)
		crew->next_start_ms = now_ms + PAUSE_LEAST_MS;
}

static void
log_death(const struct crew *crew, int i, int status, int64_t age_ms)
{
	const char *how = WIFSIGNALED(status) ? "signal" : "exit";
	int number =
	    WIFSIGNALED(status) ? WTERMSIG(status) : WEXITSTATUS(status);
	const struct member *member = &crew->members[i];

	log_event(status == 0 ? LOG_DEBUG : LOG_ERROR, "worker.end",
	    LOG_NUMBER("worker", member->pid), LOG_NUMBER(how, number),
	    LOG_NUMBER("age_ms", age_ms),
	    LOG_NUMBER("requests", served(crew, i)));
}

static void
bury(struct crew *crew, int i, int status)
{
	struct member *member = &crew->members[i];
	int64_t now_ms = clock_ms();

	log_death(crew, i, status, now_ms - member->started_ms);
	if (status != 0 && member->told_ms == 0 && !member->is_killed) {
		counters_of(crew)->workers_crashed += 1;
		look_at_death(crew, i, now_ms);
	}
	clear_slot(slot_of(crew, i));
	*member = (struct member){ .pid = 0 };
}

void
crew_bury(struct crew *crew)
{
	int i;

	for (i = 0; i < crew->slots; i++) {
		pid_t pid = crew->members[i].pid;
		int status = 0;

		/* 0: it lives. */
		if (pid != 0 && waitpid(pid, &status, WNOHANG) != 0)
			bury(crew, i, status);
	}
}

/* clock_ms() after which this worker has been at it for too long. */
static int64_t
deadline_of(const struct crew *crew, int i, int64_t now_ms)
{
	const struct member *member = &crew->members[i];
	int64_t since_ms = slot_of(crew, i)->busy_since_ms;

	if (slot_of(crew, i)->state == SLOT_STARTING)
		since_ms = member->started_ms;
	if (since_ms == 0 && member->told_ms != 0)
		since_ms = member->told_ms;
	/* One that is idle now cannot be late any earlier than this. */
	if (since_ms == 0)
		since_ms = now_ms;
	return since_ms + crew->options.pool->request_ms;
}

static void
kill_late(struct crew *crew, int i, int64_t late_ms)
{
	struct member *member = &crew->members[i];

	log_event(LOG_ERROR, "worker.kill", LOG_NUMBER("worker", member->pid),
	    LOG_NUMBER("age_ms", crew->options.pool->request_ms + late_ms),
	    LOG_TEXT("reason", "past its deadline"));
	member->is_killed = true;
	counters_of(crew)->workers_killed += 1;
	/* Cannot fail: it is our child, alive or not yet buried. */
	(void)kill(member->pid, SIGKILL);
}

/* Returns when to look at this worker again. */
static int64_t
enforce(struct crew *crew, int i, int64_t now_ms)
{
	struct member *member = &crew->members[i];
	int64_t deadline_ms = deadline_of(crew, i, now_ms);

	if (member->is_killed)
		return now_ms + LOOK_MS;
	if (deadline_ms <= now_ms) {
		kill_late(crew, i, now_ms - deadline_ms);
		return now_ms + LOOK_MS;
	}
	if (member->told_ms == 0)
		return deadline_ms;
	if (now_ms - member->told_last_ms >= TELL_AGAIN_MS)
		tell(member, now_ms);
	return member->told_last_ms + TELL_AGAIN_MS;
}

int64_t
crew_enforce(struct crew *crew)
{
	int64_t now_ms = clock_ms();
	int64_t next_ms = now_ms + crew->options.pool->request_ms;
	int i;

	for (i = 0; i < crew->slots; i++) {
		int64_t at_ms;

		if (crew->members[i].pid == 0)
			continue;
		at_ms = enforce(crew, i, now_ms);
		if (at_ms < next_ms)
			next_ms = at_ms;
	}
	return next_ms;
}

struct crew_count
crew_count(const struct crew *crew)
{
	struct crew_count count = { .all = 0 };
	int i;

	for (i = 0; i < crew->slots; i++) {
		const struct member *member = &crew->members[i];
		int32_t state = slot_of(crew, i)->state;

		if (member->pid == 0)
			continue;
		count.all++;
		if (member->told_ms != 0)
			continue;
		count.working++;
		count.old += member->is_old;
		count.starting += state == SLOT_STARTING;
		count.idle += state == SLOT_IDLE;
		count.busy += state == SLOT_BUSY;
	}
	return count;
}
