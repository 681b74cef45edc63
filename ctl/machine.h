/*
 * What this machine has, and what it is doing, for system_metrics.
 */
#ifndef WAYBILL_MACHINE_H
#define WAYBILL_MACHINE_H

#include "shared/buf.h"

#include <stdint.h>

/* The processors' time at the last look, in ticks (proc(5)); all zero before it. */
struct machine {
	int64_t busy_ticks;
	int64_t all_ticks;
};

/* Appends the members cpu_usage_percent and cpu_cores_used (since the last look),
 * memory_usage_mb, memory_percent, and disk_usage_percent of the file system that
 * `path` is on, without braces; null is what cannot be known. */
void machine_look(struct machine *, const char *path, struct buf *out);

enum { MACHINE_NAME_BYTES = 256 };

/* Its name, written to `name`, which is returned; "" when it has none. */
const char *machine_name(char name[MACHINE_NAME_BYTES]);

/* All of its memory; -1 when it cannot be known. */
int64_t machine_memory_kb(void);

#endif
