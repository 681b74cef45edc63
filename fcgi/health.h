/*
 * /livez, /readyz, /health, /health/database: really asked, never guessed.
 */
#ifndef WAYBILL_HEALTH_H
#define WAYBILL_HEALTH_H

#include "fcgi/request.h"

void health_live(struct request *, const void *unused);
void health_ready(struct request *, const void *unused);
void health_all(struct request *, const void *unused);
void health_database(struct request *, const void *unused);

#endif
