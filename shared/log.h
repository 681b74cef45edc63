/*
 * One event, one line: `<N>event key=value key="quoted value"` on stderr.
 *
 * <N> is the syslog priority that systemd's journal understands (sd-daemon(3)).
 * Values are quoted and escaped here, so that no byte from outside can make a
 * second line or a false key.  A line is written with one write(2) of at most
 * LOG_LINE_MAX bytes; longer values are cut.  Secrets are never passed here.
 */
#ifndef WAYBILL_LOG_H
#define WAYBILL_LOG_H

#include <stddef.h>

enum log_priority {
	LOG_CRITICAL = 2,
	LOG_ERROR = 3,
	LOG_WARNING = 4,
	LOG_NOTICE = 5,
	LOG_INFO = 6,
	LOG_DEBUG = 7,
};

enum { LOG_LINE_MAX = 4096 };

struct log_field {
	const char *key;
	const char *text;
	long long number;
};

/* text may be NULL: written as key=- */
#define LOG_TEXT(key, text)  \
	{                    \
		key, text, 0 \
	}
#define LOG_NUMBER(key, number)            \
	{                                  \
		key, log_is_number, number \
	}
extern const char log_is_number[];

/* log_event(LOG_INFO, "worker.start", LOG_NUMBER("pid", pid)); at least one
 * field. */
#define log_event(priority, event, ...)                                       \
	log_write(priority, event, (const struct log_field[]){ __VA_ARGS__ }, \
	    sizeof((const struct log_field[]){ __VA_ARGS__ }) /               \
		sizeof(struct log_field))

/* Lines less urgent than this are dropped (LOG_INFO at start). */
void log_set_priority(enum log_priority);

/* Put into every later line as `name=value`: the program and the pool. */
void log_set_name(const char *name);

/* Writes one line; keeps errno. */
void log_write(enum log_priority, const char *event, const struct log_field *,
    size_t count);

/* Cannot go on (out of memory, bad configuration): one line, then exit(1). */
void log_fatal(const char *event, const char *reason) __attribute__((noreturn));

/* Cannot happen: one line, then abort(). */
void log_panic(const char *event, const char *reason) __attribute__((noreturn));

#endif
