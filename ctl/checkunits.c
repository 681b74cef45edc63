/*
 * Whether the units of systemd, and this machine, allow what is configured: memory
 * for the workers, a way to PostgreSQL; and whether timers are on.
 *
 * The kernel, or systemd, tells.  What is not there is not limited: services that
 * something else runs, or a kernel without that.
 */
#include "ctl/check.h"
#include "ctl/machine.h"
#include "shared/clock.h"
#include "shared/file.h"
#include "shared/pool.h"

#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>

enum {
	WORKERS_LEAST = 3, /* shared/conf.c */
	NUMBER_BYTES = 64,
	LINE_BYTES = 64,
	COMMAND_BYTES = 256,
	SYSTEMD_MS = 3000,
	TIMED_OUT = 124, /* timeout(1) */
	MIB = 1024 * 1024,
	/* MemoryMax= beside MemoryHigh=, as in the units. */
	MORE_THAN_HIGH = 4, /* by a part of that */
};

/* The unit's MemoryHigh=; LONG_MAX when there is none. */
static long
find_limit_mib(const struct pool *pool)
{
	char path[PATH_MAX];
	long limit_mib = LONG_MAX;
	struct buf text;
	char *end;
	long long bytes;

	(void)snprintf(path, sizeof(path),
	    "/sys/fs/cgroup/system.slice/waybill-%s.service/memory.high",
	    pool->name); /* fits */
	buf_init(&text, NUMBER_BYTES);
	if (file_read(path, &text) && text.len > 0) {
		bytes = strtoll(text.data, &end, 10);
		if (end != text.data) /* else it is "max" */
			limit_mib = (long)(bytes / MIB);
	}
	buf_free(&text);
	return limit_mib;
}

static long
sum_mib(const struct conf *conf)
{
	long sum = 0;

	for (int i = 0; i < POOL_COUNT; i++)
		sum += pool_mib(&pools[i], conf);
	return sum;
}

/* Beyond what the machine has the kernel chooses who ends, and that may be
 * PostgreSQL. */
static void
judge_machine(const struct conf *conf, struct verdict *verdict)
{
	long machine_mib = (long)(machine_memory_kb() / 1024);
	struct conf fewer = *conf;

	if (machine_mib <= 0 || sum_mib(conf) <= machine_mib)
		return;
	verdict_set(verdict, VERDICT_WARN,
	    "%d workers, all there may be, need %ld MiB at most, this machine "
	    "has %ld",
	    conf->workers + conf->workers_overflow, sum_mib(conf), machine_mib);
	while (fewer.workers_overflow > 0 && sum_mib(&fewer) > machine_mib)
		fewer.workers_overflow--;
	while (fewer.workers > WORKERS_LEAST && sum_mib(&fewer) > machine_mib)
		fewer.workers--;
	verdict_cure(verdict,
	    "WORKERS=%d and WORKERS_OVERFLOW=%d in %s; systemctl reload "
	    "waybill-read waybill-webhook waybill-upstream",
	    fewer.workers, fewer.workers_overflow,
	    conf->file == NULL ? "the environment" : conf->file);
}

void
check_memory(struct check *check, int subject, struct verdict *verdict)
{
	(void)subject;
	verdict_set(
	    verdict, VERDICT_OK, "the units allow what the workers may need");
	for (int i = 0; i < POOL_COUNT; i++) {
		const struct pool *pool = &pools[i];
		long needed_mib = pool_mib(pool, &check->conf);
		long limit_mib = find_limit_mib(pool);

		if (needed_mib <= limit_mib)
			continue;
		verdict_set(verdict, VERDICT_WARN,
		    "waybill-%s: %d workers, all there may be, need %ld MiB at "
		    "most, its unit allows %ld",
		    pool->name, pool_limit(pool, &check->conf), needed_mib,
		    limit_mib);
		verdict_cure(verdict,
		    "systemctl set-property waybill-%s MemoryHigh=%ldM "
		    "MemoryMax=%ldM",
		    pool->name, needed_mib,
		    needed_mib + needed_mib / MORE_THAN_HIGH);
		return;
	}
	judge_machine(&check->conf, verdict);
}

/* --- what systemd says ----------------------------------------------------- */

enum said {
	SAID_ANYTHING = 1 << 0,
	SAID_PRIVATE = 1 << 1,
	SAID_MISSING = 1 << 2,
	SAID_MASKED = 1 << 3,
	SAID_LOADED = 1 << 4,
	SAID_ACTIVE = 1 << 5,
	SAID_DISABLED = 1 << 6,
};

static const struct {
	const char *line;
	enum said said;
} lines[] = {
	{ "PrivateNetwork=yes\n", SAID_PRIVATE },
	{ "LoadState=not-found\n", SAID_MISSING },
	{ "LoadState=masked\n", SAID_MASKED },
	{ "LoadState=loaded\n", SAID_LOADED },
	{ "ActiveState=active\n", SAID_ACTIVE },
	{ "UnitFileState=disabled\n", SAID_DISABLED },
};

#define LINES (sizeof(lines) / sizeof(lines[0]))

static unsigned
what_is_said(const char *line)
{
	for (size_t i = 0; i < LINES; i++)
		if (strcmp(line, lines[i].line) == 0)
			return SAID_ANYTHING | lines[i].said;
	return SAID_ANYTHING;
}

/* Of any of the units, names with spaces between; 0 also where systemd does not
 * run, or does not answer. */
static unsigned
ask_systemd(struct check *check, const char *units)
{
	int64_t left_ms = check_until_ms(check, SYSTEMD_MS) - clock_ms();
	char command[COMMAND_BYTES];
	char line[LINE_BYTES];
	unsigned said = 0;
	FILE *answer;
	int status;

	if (left_ms <= 0 || check->is_systemd_silent)
		return 0;
	(void)snprintf(command, sizeof(command),
	    "timeout %.3f /usr/bin/systemctl show -p PrivateNetwork "
	    "-p LoadState -p ActiveState -p UnitFileState %s 2>/dev/null",
	    (double)left_ms / 1000, units); /* fits */
	answer = popen(command, "re");
	if (answer == NULL)
		return 0;
	while (fgets(line, sizeof(line), answer) != NULL)
		said |= what_is_said(line);
	status = pclose(answer); /* of others what was printed says all */
	check->is_systemd_silent =
	    WIFEXITED(status) && WEXITSTATUS(status) == TIMED_OUT;
	return said;
}

/* Words that follow the timer's name; NULL: nothing is wrong, or known. */
static const char *
find_trouble(struct check *check, const char *timer)
{
	unsigned said = ask_systemd(check, timer);

	if (said == 0 || (said & (SAID_MISSING | SAID_MASKED)) != 0)
		return NULL;
	if ((said & SAID_LOADED) == 0)
		return "cannot be loaded here";
	if ((said & SAID_ACTIVE) == 0)
		return "is off here";
	return (said & SAID_DISABLED) != 0 ? "will be off here after a boot"
					   : NULL;
}

void
check_timer(struct check *check, const char *timer, struct verdict *verdict)
{
	char seen[VERDICT_TEXT_MAX];
	const char *trouble;

	if (verdict->state != VERDICT_OK)
		return;
	trouble = find_trouble(check, timer);
	if (trouble == NULL)
		return;
	memcpy(seen, verdict->text, sizeof(seen));
	verdict_set(
	    verdict, VERDICT_WARN, "%s, but %s %s", seen, timer, trouble);
	verdict_cure(verdict, "systemctl enable --now %s; systemctl status %s",
	    timer, timer);
}

/* --- the network --------------------------------------------------------- */

static bool
lacks_network(struct check *check)
{
	unsigned said = ask_systemd(check,
	    check->is_remote ? "waybill-read waybill-webhook waybill-jobs "
			       "waybill-refresh"
			     : "waybill-read");

	return (said & SAID_PRIVATE) != 0;
}

void
check_network(struct check *check, int subject, struct verdict *verdict)
{
	(void)subject;
	if (!check->is_remote && !check->is_read_remote) {
		verdict_set(verdict, VERDICT_OK,
		    "PostgreSQL is reached over a socket here");
	} else if (lacks_network(check)) {
		verdict_set(verdict, VERDICT_FAIL,
		    "PostgreSQL is reached over the network, which the units "
		    "do not let the services use (PrivateNetwork=yes)");
		verdict_cure(verdict,
		    "for unit in read webhook jobs refresh; do install -D -m "
		    "644 /usr/share/waybill/systemd/database-network.conf "
		    "/etc/systemd/system/waybill-$unit.service.d/"
		    "database-network.conf; done; systemctl daemon-reload; "
		    "systemctl restart waybill-read waybill-webhook "
		    "waybill-jobs");
	} else {
		verdict_set(verdict, VERDICT_OK,
		    "PostgreSQL is reached over the network, as the units "
		    "allow");
	}
}
