/*
 * The rules: see tuning.h.
 *
 * Those that others have published, each with its source, and a few of our own that
 * were measured.  What must stay true: with the least of work_mem, or less than
 * that left, `most` tells whether all connections fit into the share.
 */
#include "ctl/tuning.h"

#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>

enum {
	MB = TUNING_MB,
	GB = TUNING_GB,
	SYSTEM = 192 * MB, /* the system and nginx with its caches */
	WORKER = 4 * MB,   /* docs/bench.md: 1.2 to 3.4 MB */
	BUFFERS_LEAST = 16 * MB,
	MAINTENANCE_MOST = GB, /* VACUUM uses no more before PostgreSQL 17 */
	WORK_LEAST = MB,
	WORK_MOST = 64 * MB,
	WAL_BUFFERS_MOST = 16 * MB,
};

enum {
	AUTOVACUUMS = 3,
	NODES = 3, /* that need work_mem at once, in one query */
	PROCESSES_LEAST = 8,
	COST_LIMIT_DISK = -1, /* the default: 200 */
	COST_LIMIT_SSD = 1000,
};

/* clang-format off */
static const struct {
	const char *name;
	const char *value;
	const char *why;
} always[] = {
	{ "checkpoint_timeout", "15min",
	  "Fewer checkpoints, fewer whole pages in the WAL; after a crash the\n"
	  "# server needs longer to start [20.5.2; docs/bench.md]." },
	{ "checkpoint_completion_target", "0.9",
	  "Written evenly until the next one is due [20.5.2; pgtune]." },
	{ "synchronous_commit", "on",
	  "Never off: a webhook is answered 200 when it is on the disk [20.5.1].\n"
	  "# Waybill sets it for its own connections whatever stands here." },
	{ "jit", "off",
	  "Short queries: compiling them costs more than it saves [20.7.4; pgtune]." },
	{ "autovacuum_naptime", "15s",
	  "The journals of the figures fill and empty all day [20.10]." },
	{ "autovacuum_vacuum_scale_factor", "0.05",
	  "Shipments and trackers are updated again and again: the default 0.2\n"
	  "# of a large table is a lot of dead rows [20.10]." },
	{ "autovacuum_vacuum_insert_scale_factor", "0.05",
	  "Events and documents only grow: marked all visible early, they are\n"
	  "# read by index alone, and frozen in small parts [20.10]." },
	{ "autovacuum_analyze_scale_factor", "0.02",
	  "The newest days are what is asked for: plans must know them [20.10]." },
	{ "track_io_timing", "on",
	  "Shows what waits for the disk; pg_test_timing tells the cost [20.9.1]." },
	{ "log_min_duration_statement", "1s",
	  "Nothing that somebody waits for should take as long [20.8.2]." },
	{ "log_parameter_max_length", "0",
	  "Without the values in it: they are people's addresses [20.8.3]." },
	{ "idle_in_transaction_session_timeout", "1min",
	  "A forgotten transaction would keep every dead row [20.11.1].  Waybill\n"
	  "# has none open while it waits, and pg_dump sets this off for itself." },
};

/* clang-format on */

static void set(struct tuning *, const char *name, const char *why,
    const char *format, ...) __attribute__((format(printf, 4, 5)));

static void
set(struct tuning *tuning, const char *name, const char *why,
    const char *format, ...)
{
	struct tuning_line *line = &tuning->lines[tuning->count++];
	va_list args;

	*line = (struct tuning_line){ .name = name, .why = why };
	va_start(args, format);
	(void)vsnprintf(
	    line->value, sizeof(line->value), format, args); /* fits */
	va_end(args);
}

/* In the largest unit that it is a whole number of, as the server does. */
static void
set_size(struct tuning *tuning, const char *name, const char *why, int64_t size)
{
	static const char *const units[] = { "kB", "MB", "GB", "TB" };
	size_t unit = 0;

	for (; unit < 3 && size % 1024 == 0; unit++)
		size /= 1024;
	set(tuning, name, why, "%lld%s", (long long)size, units[unit]);
}

static int64_t
at_most(int64_t value, int64_t most)
{
	return value < most ? value : most;
}

static int64_t
at_least(int64_t value, int64_t least)
{
	return value > least ? value : least;
}

/* Downwards, to what a person would write. */
static int64_t
round_size(int64_t size)
{
	int64_t step = size >= 4LL * GB ? 256 * MB
	    : size >= GB                ? 64 * MB
	    : size >= 4LL * MB          ? MB
					: 256;

	return size / step * step;
}

/* What the settings of the memory are made of. */
struct division {
	int64_t buffers;
	int64_t maintenance;
	int64_t work;
};

static struct division
divide(struct tuning *tuning)
{
	int64_t others = SYSTEM + (int64_t)WORKER * tuning->workers;
	int64_t users =
	    tuning->connections + at_least(tuning->cores, PROCESSES_LEAST);
	struct division division;
	int64_t fixed;

	tuning->share = tuning->memory - at_most(others, tuning->memory / 2);
	division.buffers =
	    at_least(round_size(tuning->share / 4), BUFFERS_LEAST);
	division.maintenance =
	    round_size(at_most(tuning->share / 16, MAINTENANCE_MOST));
	fixed = division.buffers + AUTOVACUUMS * division.maintenance;
	division.work = round_size((tuning->share - fixed) / (users * NODES));
	division.work = at_most(at_least(division.work, WORK_LEAST), WORK_MOST);
	tuning->most = fixed + tuning->connections * division.work;
	return division;
}

static void
add_memory(struct tuning *tuning, const struct division *division)
{
	set_size(tuning, "shared_buffers",
	    "A quarter of PostgreSQL's share [20.4.1; pgtune].",
	    division->buffers);
	set_size(tuning, "effective_cache_size",
	    "Three quarters: what the kernel keeps too, for the planner only\n"
	    "# [20.7.2; pgtune].",
	    round_size(tuning->share / 4 * 3));
	set_size(tuning, "work_mem",
	    "What is left, were every connection to sort three times at once:\n"
	    "# (share - buffers - maintenance) / (3 x (connections + "
	    "processes)),\n"
	    "# 1 to 64 MB [20.4.1; pgtune].  A report may SET more for itself.",
	    division->work);
	set_size(tuning, "maintenance_work_mem",
	    "A sixteenth, 1 GB at most; each of three autovacuums may take it\n"
	    "# [20.4.1; pgtune].",
	    division->maintenance);
}

static void
add_wal(struct tuning *tuning, int64_t buffers)
{
	int64_t wal = tuning->memory < 2LL * GB ? GB
	    : tuning->memory < 8LL * GB         ? 4LL * GB
						: 8LL * GB;

	set_size(tuning, "wal_buffers",
	    "1/32 of shared_buffers, at most one segment [20.5.1; pgtune].",
	    at_most(buffers / 32, WAL_BUFFERS_MOST));
	set_size(tuning, "min_wal_size",
	    "Kept for the next busy hour instead of made anew [20.5.2].",
	    wal / 4);
	set_size(tuning, "max_wal_size",
	    "The time and not the volume should end a checkpoint; so much of "
	    "the\n"
	    "# disk must be free [20.5.2; pgtune; docs/bench.md].",
	    wal);
	set(tuning, "wal_compression",
	    "Documents of 4 KB: fewer bytes to sync for a little of a "
	    "processor\n"
	    "# [20.5.1; pgtune].  lz4 since PostgreSQL 15.",
	    "lz4");
}

static void
add_storage(struct tuning *tuning)
{
	set(tuning, "random_page_cost",
	    tuning->is_disk
		? "The default: a disk has to seek [20.7.2; pgtune]."
		: "On an SSD any page is nearly as near as the next one; else\n"
		  "# waybill tune --storage disk [20.7.2; pgtune].",
	    "%s", tuning->is_disk ? "4" : "1.1");
	set(tuning, "effective_io_concurrency",
	    "Pages that are asked for ahead, by what the storage can do at "
	    "once\n"
	    "# [20.4.6; pgtune].",
	    "%d", tuning->is_disk ? 2 : 200);
	/* A disk has not the speed that would be let loose. */
	set(tuning, "autovacuum_vacuum_cost_limit",
	    "How fast autovacuums may be, together; the default 200 is a slow\n"
	    "# disk's [20.10].",
	    "%d", tuning->is_disk ? COST_LIMIT_DISK : COST_LIMIT_SSD);
}

static void
add_processes(struct tuning *tuning)
{
	int64_t helpers = at_most(tuning->cores / 2, 2);

	set(tuning, "max_connections",
	    "The workers' and everybody else's, see above [20.3.1].", "%d",
	    tuning->connections + tuning->more);
	set(tuning, "max_worker_processes",
	    "The default, or one for each core [20.4.6; pgtune].", "%lld",
	    (long long)at_least(tuning->cores, PROCESSES_LEAST));
	set(tuning, "max_parallel_workers",
	    "No more at once than there are cores [20.4.6; pgtune].", "%d",
	    tuning->cores);
	set(tuning, "max_parallel_workers_per_gather",
	    "Waybill's own queries are short and need none; half of the "
	    "cores,\n"
	    "# at most two, for reports of people [20.4.6].",
	    "%lld", (long long)helpers);
	set(tuning, "max_parallel_maintenance_workers",
	    "The same for the making of indexes [20.4.6].", "%lld",
	    (long long)helpers);
}

void
tuning_make(struct tuning *tuning)
{
	const struct division division = divide(tuning);

	add_processes(tuning);
	add_memory(tuning, &division);
	add_wal(tuning, division.buffers);
	add_storage(tuning);
	for (size_t i = 0; i < sizeof(always) / sizeof(*always); i++)
		set(tuning, always[i].name, always[i].why, "%s",
		    always[i].value);
	set(tuning, "shared_preload_libraries",
	    "Which statements cost how much; then, once in the database:\n"
	    "# create extension pg_stat_statements [20.11.3].  Keep beside it "
	    "what\n"
	    "# your postgresql.conf has there.",
	    "pg_stat_statements");
}

struct tuning_line *
tuning_find(struct tuning *tuning, const char *name)
{
	for (int i = 0; i < tuning->count; i++)
		if (strcmp(tuning->lines[i].name, name) == 0)
			return &tuning->lines[i];
	return NULL;
}
