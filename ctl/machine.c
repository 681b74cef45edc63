/*
 * The kernel's own numbers: /proc/stat, /proc/meminfo, statvfs.
 */
#include "ctl/machine.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/statvfs.h>
#include <unistd.h>

enum { STAT_FIELDS = 8, IDLE = 3, IOWAIT = 4, LINE_BYTES = 512 };

/* user, nice, system, idle, iowait, irq, softirq, steal: guest time is in the first
 * two. */
static bool
read_ticks(int64_t *busy, int64_t *all)
{
	FILE *file = fopen("/proc/stat", "re");
	char line[LINE_BYTES];
	char *at = NULL;

	if (file == NULL)
		return false;
	if (fgets(line, sizeof(line), file) != NULL &&
	    strncmp(line, "cpu ", 4) == 0)
		at = line + 4;
	(void)fclose(file); /* was only read */
	for (int i = 0; at != NULL && i < STAT_FIELDS; i++) {
		int64_t ticks = strtoll(at, &at, 10);

		*all += ticks;
		if (i != IDLE && i != IOWAIT)
			*busy += ticks;
	}
	return *all > 0;
}

static void
add_processors(struct machine *machine, struct buf *out)
{
	int64_t busy = 0, all = 0;
	double share;

	if (!read_ticks(&busy, &all) || machine->all_ticks == 0 ||
	    all <= machine->all_ticks) {
		(void)buf_add_string(
		    out, "\"cpu_usage_percent\":null,\"cpu_cores_used\":null");
	} else {
		share = (double)(busy - machine->busy_ticks) /
		    (double)(all - machine->all_ticks);
		(void)buf_addf(out,
		    "\"cpu_usage_percent\":%.2f,\"cpu_cores_used\":%.3f",
		    100 * share, share * (double)sysconf(_SC_NPROCESSORS_ONLN));
	}
	*machine = (struct machine){ busy, all };
}

/* In KiB; -1 when the line is not there. */
static int64_t
memory_of(const char *name)
{
	FILE *file = fopen("/proc/meminfo", "re");
	char line[LINE_BYTES];
	size_t bytes = strlen(name);
	int64_t found = -1;

	if (file == NULL)
		return -1;
	while (found < 0 && fgets(line, sizeof(line), file) != NULL)
		if (strncmp(line, name, bytes) == 0 && line[bytes] == ':')
			found = strtoll(line + bytes + 1, NULL, 10);
	(void)fclose(file); /* was only read */
	return found;
}

static void
add_memory(struct buf *out)
{
	int64_t total = memory_of("MemTotal");
	int64_t available = memory_of("MemAvailable");
	double used = (double)(total - available);

	if (total <= 0 || available < 0)
		(void)buf_add_string(
		    out, ",\"memory_usage_mb\":null,\"memory_percent\":null");
	else
		(void)buf_addf(out,
		    ",\"memory_usage_mb\":%.1f,\"memory_percent\":%.2f",
		    used / 1024, 100 * used / (double)total);
}

void
machine_look(struct machine *machine, const char *path, struct buf *out)
{
	struct statvfs disk;

	add_processors(machine, out);
	add_memory(out);
	if (statvfs(path, &disk) != 0 || disk.f_blocks == 0)
		(void)buf_add_string(out, ",\"disk_usage_percent\":null");
	else
		(void)buf_addf(out, ",\"disk_usage_percent\":%.2f",
		    100 - 100 * (double)disk.f_bavail / (double)disk.f_blocks);
}

int64_t
machine_memory_kb(void)
{
	return memory_of("MemTotal");
}

const char *
machine_name(char name[MACHINE_NAME_BYTES])
{
	memset(name, 0, MACHINE_NAME_BYTES);
	(void)gethostname(
	    name, MACHINE_NAME_BYTES - 1); /* else it stays empty */
	return name;
}
