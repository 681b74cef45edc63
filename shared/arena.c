/*
 * Memory of one request: see arena.h for the promises.
 *
 * Pieces are cut from blocks; a piece that does not fit begins a new block.
 * A reset keeps the oldest block, which has the standard size, and frees the
 * others.  The limit counts what was asked for, not what the blocks hold.
 */
#include "shared/arena.h"

#include "shared/log.h"

#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* A page table's worth: most requests need one block only. */
enum { BLOCK_BYTES = 32 * 1024 };

struct block {
	struct block *older;
	size_t size;
	size_t used;
	max_align_t bytes[];
};

struct arena {
	struct block *newest;
	size_t used;
	size_t max;
};

static struct block *
add_block(struct arena *a, size_t bytes)
{
	size_t size = bytes > BLOCK_BYTES ? bytes : BLOCK_BYTES;
	struct block *block = malloc(sizeof(*block) + size);

	if (block == NULL)
		log_fatal("arena.memory", "out of memory");
	block->older = a->newest;
	block->size = size;
	block->used = 0;
	a->newest = block;
	return block;
}

struct arena *
arena_new(size_t max_bytes)
{
	struct arena *a = calloc(1, sizeof(*a));

	if (a == NULL)
		log_fatal("arena.memory", "out of memory");
	a->max = max_bytes;
	add_block(a, 0);
	return a;
}

void *
arena_alloc(struct arena *a, size_t bytes)
{
	const size_t align = _Alignof(max_align_t);
	struct block *block = a->newest;
	char *piece;

	if (bytes > a->max || bytes > SIZE_MAX / 2)
		log_fatal("arena.limit", "a request needs too much memory");
	bytes = (bytes + align - 1) / align * align;
	if (bytes > a->max - a->used)
		log_fatal("arena.limit", "a request needs too much memory");
	if (bytes > block->size - block->used)
		block = add_block(a, bytes);
	piece = (char *)block->bytes + block->used;
	block->used += bytes;
	a->used += bytes;
	return memset(piece, 0, bytes);
}

char *
arena_copy(struct arena *a, const char *data, size_t bytes)
{
	char *copy = arena_alloc(a, bytes + 1);

	if (bytes > 0)
		memcpy(copy, data, bytes);
	return copy;
}

char *
arena_printf(struct arena *a, const char *format, ...)
{
	va_list args;
	char *text;
	int n;

	va_start(args, format);
	n = vsnprintf(NULL, 0, format, args);
	va_end(args);
	if (n < 0)
		log_panic("arena.format", format);
	text = arena_alloc(a, (size_t)n + 1);
	va_start(args, format);
	(void)vsnprintf(text, (size_t)n + 1, format, args); /* as before */
	va_end(args);
	return text;
}

void
arena_reset(struct arena *a)
{
	struct block *older;

	while ((older = a->newest->older) != NULL) {
		free(a->newest);
		a->newest = older;
	}
	a->newest->used = 0;
	a->used = 0;
}
