/*
 * How many rows a list has: counted while that is cheap, then estimated.
 */
#ifndef WAYBILL_TOTAL_H
#define WAYBILL_TOTAL_H

#include "fcgi/where.h"
#include "shared/db.h"

#include <stdbool.h>
#include <stdint.h>

enum { TOTAL_EXACT_MAX = 1000 }; /* what is more may be an estimate */

struct total {
	long long rows;
	bool is_estimate;
};

/* Counts the rows of the view that fit the filters.  Up to TOTAL_EXACT_MAX the
 * number is exact and of this moment; beyond, it is what PostgreSQL's planner
 * expects, and may be ten seconds old. */
enum db_status total_count(struct request *, const char *view,
    const struct where *, int64_t deadline_ms, struct total *)
    __attribute__((warn_unused_result));

#endif
