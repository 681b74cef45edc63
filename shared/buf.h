/*
 * Bytes that grow up to a hard maximum.
 *
 * The only place where bytes grow.  A buf that would pass its maximum, or for
 * which there is no memory, keeps what it has and is marked failed until it is
 * reset, so that a caller may write a whole answer and look once at the end.
 * What must stay true: len <= size <= max + 1, and data[len] is a zero byte
 * whenever data is not NULL.
 */
#ifndef WAYBILL_BUF_H
#define WAYBILL_BUF_H

#include <stdbool.h>
#include <stddef.h>

struct buf {
	char *data;
	size_t len;
	size_t size;
	size_t max;
	bool failed;
};

/* An empty buf of at most `max_bytes`; takes no memory yet. */
void buf_init(struct buf *, size_t max_bytes);

/* Appends `bytes` bytes.  False (and failed) when that would pass the maximum
 * (errno is EFBIG) or memory is short (ENOMEM); the content is then as before. */
bool buf_add(struct buf *, const void *data, size_t bytes);

/* Appends a zero-terminated string. */
bool buf_add_string(struct buf *, const char *);

/* Appends one byte. */
bool buf_add_byte(struct buf *, char);

/* Appends formatted text. */
bool buf_addf(struct buf *, const char *format, ...)
    __attribute__((format(printf, 2, 3)));

/* Makes room for `bytes` more and returns where they may be written; the
 * caller then adds what it wrote to len.  NULL as buf_add() is false. */
char *buf_room(struct buf *, size_t bytes);

/* Empties it and clears failed.  Keeps its memory up to `keep_bytes`, gives
 * the rest back. */
void buf_reset(struct buf *, size_t keep_bytes);

/* Gives all memory back; the buf is then as after buf_init(). */
void buf_free(struct buf *);

#endif
