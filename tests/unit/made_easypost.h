/*
 * An EasyPost that a test makes up, and a clock that goes on only where somebody
 * waits: what commands call of easypost.h and clock.h.  For one file of a program.
 */
#ifndef WAYBILL_MADE_EASYPOST_H
#define WAYBILL_MADE_EASYPOST_H

#include "shared/clock.h"
#include "shared/easypost.h"

#include <limits.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

enum { REPLIES_MAX = 40, REPLY_TAKES_MS = 11000 };

struct easypost {
	struct easypost_site *site;
};

/* What is asked for at `target` or below comes to this, `times` times (0: always);
 * of several, the first that is left.  `header` may be NULL. */
void made_reply(const char *target, int times, enum easypost_result, int status,
    const char *header, const char *body);

/* The site that was made, for easypost_look_at_site(). */
static struct easypost_site made_site;

static struct made_reply {
	const char *target;
	int times;
	enum easypost_result result;
	int status;
	const char *header;
	const char *body;
	int used;
} made_replies[REPLIES_MAX];

static int made_reply_count;
static int64_t made_now_ms = 1000000;

void
made_reply(const char *target, int times, enum easypost_result result,
    int status, const char *header, const char *body)
{
	made_replies[made_reply_count++] = (struct made_reply){ target, times,
		result, status, header, body, 0 };
}

struct easypost *
easypost_new(const char *base, const char *ca_file)
{
	static struct easypost easypost;

	(void)base, (void)ca_file;
	return &easypost;
}

static void
made_fill(struct reply *answer, const struct made_reply *one)
{
	answer->status = one->status;
	if (one->header != NULL)
		reply_take_line(answer, one->header, strlen(one->header));
	reply_finish(answer);
	(void)buf_add_string(&answer->body, one->body); /* fits */
}

enum easypost_result
easypost_send(struct easypost *easypost, const struct easypost_request *request,
    struct reply *answer)
{
	reply_reset(answer);
	made_now_ms += REPLY_TAKES_MS;
	for (int i = 0; i < made_reply_count; i++) {
		struct made_reply *one = &made_replies[i];

		if (strncmp(request->target, one->target,
			strlen(one->target)) != 0 ||
		    (one->times != 0 && one->used++ >= one->times))
			continue;
		if (one->result == EASYPOST_ANSWERED)
			made_fill(answer, one);
		if (easypost->site != NULL)
			*easypost->site = made_site;
		return one->result;
	}
	return EASYPOST_UNREACHABLE;
}

const char *
easypost_error(const struct easypost *easypost)
{
	(void)easypost;
	return "made to be away";
}

void
easypost_look_at_site(struct easypost *easypost, struct easypost_site *site)
{
	easypost->site = site;
}

int64_t
easypost_spent_us(const struct easypost *easypost)
{
	(void)easypost;
	return 1000;
}

int64_t
clock_ms(void)
{
	return made_now_ms;
}

int64_t
clock_us(void)
{
	return made_now_ms * 1000;
}

int64_t
clock_wall_us(void)
{
	return (int64_t)time(NULL) * 1000000;
}

int
clock_left_ms(int64_t deadline_ms)
{
	int64_t left_ms = deadline_ms - made_now_ms;

	return left_ms < 0 ? 0 : left_ms > INT_MAX ? INT_MAX : (int)left_ms;
}

void
clock_wait_until(int64_t moment_ms)
{
	if (moment_ms <= made_now_ms)
		return;
	(void)fprintf(
	    stderr, "waits %lld ms\n", (long long)(moment_ms - made_now_ms));
	made_now_ms = moment_ms;
}

#endif
