/*
 * /livez, /readyz, /health, /health/database: really asked, never guessed.
 */
#ifndef WAYBILL_HEALTH_H
#define WAYBILL_HEALTH_H

#include "fcgi/request.h"

/* Remembers the newest migration that is installed: the version of the schema that
 * this program needs.  Once, before the workers are forked. */
void health_note_version(const struct conf *);

/* Handlers for the route table.  /livez: this worker runs; asks nobody. */
void health_live(struct request *, const void *unused);

/* /readyz: 200 when a request can succeed now, else 503 with the obstacle. */
void health_ready(struct request *, const void *unused);

/* /health: 200 with all there is to know; its status is ok or degraded. */
void health_all(struct request *, const void *unused);

/* /health/database: 503 when the database does not answer. */
void health_database(struct request *, const void *unused);

#endif
