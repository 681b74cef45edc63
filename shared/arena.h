/*
 * Memory of one request: many small pieces, given back all at once.
 *
 * Nothing taken from an arena is freed by itself.  Running out of the arena's
 * maximum is fatal for the process (the supervisor starts a fresh one): every
 * caller bounds what it asks for by the limits of the input.
 */
#ifndef WAYBILL_ARENA_H
#define WAYBILL_ARENA_H

#include <stddef.h>

struct arena;

/* A new arena of at most `max_bytes`.  Never NULL: no memory is fatal. */
struct arena *arena_new(size_t max_bytes);

/* `bytes` zeroed bytes, aligned for anything.  Never NULL. */
void *arena_alloc(struct arena *, size_t bytes);

/* A zero-terminated copy of `bytes` bytes. */
char *arena_copy(struct arena *, const char *, size_t bytes);

/* Formatted text. */
char *arena_printf(struct arena *, const char *format, ...)
    __attribute__((format(printf, 2, 3)));

/* Forgets everything; keeps one block for the next request. */
void arena_reset(struct arena *);

#endif
