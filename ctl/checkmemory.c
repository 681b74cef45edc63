/*
 * Whether the workers that are configured have room in what their units allow.
 *
 * The kernel tells what systemd has asked of it.  What is not there is not limited:
 * services that something else runs, or a kernel without that.
 */
#include "ctl/check.h"
#include "shared/file.h"
#include "shared/pool.h"

#include <limits.h>
#include <stdio.h>
#include <stdlib.h>

enum {
	NUMBER_BYTES = 64,
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
		    "systemctl edit waybill-%s, below [Service]: "
		    "MemoryHigh=%ldM and MemoryMax=%ldM; then restart it",
		    pool->name, needed_mib,
		    needed_mib + needed_mib / MORE_THAN_HIGH);
		return;
	}
}
