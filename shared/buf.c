/*
 * Bytes that grow up to a hard maximum: see buf.h for the promises.
 *
 * Memory doubles as it is needed, so that many small additions cost little.
 * What must stay true: nothing is written unless there is room for all of it
 * and for the zero byte behind it.
 */
#include "shared/buf.h"

#include <errno.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { SMALLEST_BYTES = 128 };

void
buf_init(struct buf *b, size_t max_bytes)
{
	*b = (struct buf){ .max = max_bytes };
}

/* The size to grow to: doubled, but within what max allows. */
static size_t
grown_size(const struct buf *b, size_t needed)
{
	size_t size = b->size < SMALLEST_BYTES ? SMALLEST_BYTES : b->size;

	while (size < needed)
		size *= 2; /* needed is below PTRDIFF_MAX */
	if (size - 1 > b->max)
		size = b->max + 1;
	return size;
}

/* Makes room for `bytes` more and the zero byte, or marks b failed. */
static bool
reserve(struct buf *b, size_t bytes)
{
	char *data;

	if (b->failed)
		return false;
	b->failed = true;
	if (bytes > b->max - b->len || b->len + bytes >= PTRDIFF_MAX) {
		errno = EFBIG;
		return false;
	}
	if (b->data == NULL || b->len + bytes + 1 > b->size) {
		size_t size = grown_size(b, b->len + bytes + 1);

		data = realloc(b->data, size);
		if (data == NULL)
			return false;
		b->data = data;
		b->size = size;
		b->data[b->len] = '\0';
	}
	b->failed = false;
	return true;
}

bool
buf_add(struct buf *b, const void *data, size_t bytes)
{
	if (!reserve(b, bytes))
		return false;
	if (bytes > 0)
		memcpy(b->data + b->len, data, bytes);
	b->len += bytes;
	b->data[b->len] = '\0';
	return true;
}

bool
buf_add_string(struct buf *b, const char *s)
{
	return buf_add(b, s, strlen(s));
}

bool
buf_add_byte(struct buf *b, char byte)
{
	return buf_add(b, &byte, 1);
}

bool
buf_addf(struct buf *b, const char *format, ...)
{
	va_list args;
	int n;

	va_start(args, format);
	n = vsnprintf(NULL, 0, format, args);
	va_end(args);
	if (n < 0) {
		b->failed = true;
		return false;
	}
	if (!reserve(b, (size_t)n))
		return false;
	va_start(args, format);
	(void)vsnprintf(
	    b->data + b->len, (size_t)n + 1, format, args); /* as before */
	va_end(args);
	b->len += (size_t)n;
	return true;
}

char *
buf_room(struct buf *b, size_t bytes)
{
	if (!reserve(b, bytes))
		return NULL;
	/* So that data[len] is zero however little the caller writes. */
	memset(b->data + b->len, 0, bytes + 1);
	return b->data + b->len;
}

void
buf_reset(struct buf *b, size_t keep_bytes)
{
	char *data;

	b->len = 0;
	b->failed = false;
	if (keep_bytes == 0)
		buf_free(b);
	else if (b->size > keep_bytes) {
		data = realloc(b->data, keep_bytes);
		if (data != NULL) {
			b->data = data;
			b->size = keep_bytes;
		}
	}
	if (b->data != NULL)
		b->data[0] = '\0';
}

void
buf_free(struct buf *b)
{
	free(b->data);
	buf_init(b, b->max);
}
