/*
 * The throttle as a file: a table of keys, each with the moment at which it is even.
 *
 * A file of zero bytes is an empty table, so that it needs no maker and no order of
 * starting; it stays when the services go, and a restart forgives nothing.  A key has
 * its place where its hash says or a few behind.  When these are taken by others, the
 * one that is even first, mostly since long, is forgotten: it may ask as if it were
 * new.
 * What must stay true: each entry is two lock-free numbers, and whatever order
 * processes write them in, at worst a request is not counted.
 */
#include "shared/throttle.h"

#include "shared/clock.h"
#include "shared/log.h"

#include <errno.h>
#include <fcntl.h>
#include <stdatomic.h>
#include <stdint.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

enum {
	ENTRIES = 1024, /* 16 KiB; keys that asked within a minute */
	PROBES = 16,
	SECOND_US = 1000000,
	WINDOW_US = THROTTLE_WINDOW_S * SECOND_US,
};

struct entry {
	_Atomic uint64_t key;    /* 0: free */
	_Atomic int64_t even_us; /* clock_us() */
};

struct throttle {
	struct entry entries[ENTRIES];
};

_Static_assert(ATOMIC_LLONG_LOCK_FREE == 2, "other processes write them, too");

struct throttle *
throttle_open(const char *path)
{
	void *memory = MAP_FAILED;
	int fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0640);

	if (fd >= 0) {
		/* No disk is then full under a mapping (SIGBUS). */
		errno = posix_fallocate(fd, 0, sizeof(struct throttle));
		if (errno == 0)
			memory = mmap(NULL, sizeof(struct throttle),
			    PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
	}
	if (memory == MAP_FAILED)
		log_fatal("throttle.open", strerror(errno));
	(void)close(fd); /* a mapping does not need it */
	return memory;
}

/* FNV-1a; ids differ in all of their length. */
static uint64_t
hash(const char *key_id)
{
	uint64_t sum = 0xcbf29ce484222325;

	for (; *key_id != '\0'; key_id++)
		sum = (sum ^ (unsigned char)*key_id) * 0x100000001b3;
	return sum == 0 ? 1 : sum;
}

static struct entry *
find(struct throttle *throttle, uint64_t key, int64_t now_us)
{
	for (;;) {
		struct entry *first = &throttle->entries[key % ENTRIES];
		uint64_t other;

		for (uint64_t i = 0; i < PROBES; i++) {
			struct entry *entry =
			    &throttle->entries[(key + i) % ENTRIES];

			if (entry->key == key)
				return entry;
			if (entry->even_us < first->even_us)
				first = entry;
		}
		other = first->key;
		if (!atomic_compare_exchange_strong(&first->key, &other, key))
			continue; /* somebody was faster: perhaps for us */
		if (first->even_us > now_us)
			first->even_us = 0;
		return first;
	}
}

/* Whole seconds, rounded up. */
static int
seconds(int64_t us)
{
	return (int)((us + SECOND_US - 1) / SECOND_US);
}

struct throttle_state
throttle_ask(struct throttle *throttle, const char *key_id, int per_minute)
{
	int64_t each_us = WINDOW_US / per_minute;
	int64_t most_us = each_us * per_minute; /* at once */
	int64_t now_us = clock_us();
	struct entry *entry = find(throttle, hash(key_id), now_us);
	int64_t before_us = entry->even_us;
	int64_t free_us;

	do {
		int64_t used_us = before_us > now_us ? before_us - now_us : 0;

		/* One from before the machine started is far away. */
		if (used_us > most_us)
			used_us = most_us;
		free_us = most_us - used_us - each_us;
		if (free_us < 0)
			return (struct throttle_state){ .wait_s =
							    seconds(-free_us) };
	} while (!atomic_compare_exchange_weak(
	    &entry->even_us, &before_us, now_us + most_us - free_us));
	return (struct throttle_state){ .is_admitted = true,
		.left = (int)(free_us / each_us),
		.wait_s = seconds(each_us - free_us % each_us) };
}
