/*
 * Stale reads: the bytes of a document that is in the database.
 */
#include "fcgi/stale.h"
#include "fcgi/body.h"
#include "fcgi/pattern.h"
#include "fcgi/row.h"
#include "shared/clock.h"
#include "shared/log.h"
#include "shared/moment.h"

#include <stdio.h>
#include <string.h>

enum { CALL_MS = 2000, ID_MAX = 64 };

static const struct {
	const char *pattern;
	const char *prefix;
} things[] = {
	{ "/v2/shipments/{id}", "shp_" },
	{ "/v2/trackers/{id}", "trk_" },
	{ "/v2/addresses/{id}", "adr_" },
};

/* What the database has of it, in the request's memory. */
struct known {
	struct request *rq;
	const char *document; /* NULL: nothing */
	const char *age;
	char as_of[MOMENT_BYTES];
};

/* db_row_function */
static bool
take_known(void *context, const struct db_row *row)
{
	struct known *known = context;
	struct arena *arena = known->rq->arena;

	if (!moment_format(row_word(row, "as_of"), false, known->as_of))
		return true;
	known->document = row_keep(arena, row, "document");
	known->age = row_keep(arena, row, "age_seconds");
	return true;
}

/* The id of the thing that is read; NULL when this is another request. */
static const char *
id_of(const struct request *rq)
{
	struct pattern_argument argument;

	if ((strcmp(rq->method, "GET") != 0 && !rq->is_head) ||
	    *rq->query != '\0')
		return NULL;
	for (size_t i = 0; i < sizeof(things) / sizeof(things[0]); i++) {
		const char *id;

		if (!pattern_match(things[i].pattern, rq->path, &argument) ||
		    argument.bytes > ID_MAX)
			continue;
		id = arena_copy(rq->arena, argument.text, argument.bytes);
		return body_is_id(id, things[i].prefix) ? id : NULL;
	}
	return NULL;
}

static void
send(struct request *rq, const struct known *known)
{
	size_t bytes = strlen(known->document);
	char length[24];
	const struct request_header headers[] = {
		{ "Content-Type", "application/json; charset=utf-8" },
		{ "Cache-Control", "private, no-cache, no-store" },
		{ "Content-Length", length },
		{ "Age", known->age },
		{ "X-Waybill-Source", "database" },
		{ "X-Waybill-As-Of", known->as_of },
	};

	(void)snprintf(length, sizeof(length), "%zu", bytes);
	log_event(LOG_WARNING, "upstream.stale", LOG_TEXT("request_id", rq->id),
	    LOG_TEXT("path", rq->path), LOG_TEXT("as_of", known->as_of));
	request_start_answer(
	    rq, 200, headers, sizeof(headers) / sizeof(headers[0]));
	request_write(rq, known->document, bytes);
}

bool
stale_answer(struct request *rq)
{
	struct known known = { .rq = rq };
	const char *id = id_of(rq);
	const struct db_value values[] = {
		db_text(id),
		db_text(request_mode(rq)),
	};
	const struct db_call call = {
		.function = "api.known_document",
		.values = values,
		.count = 2,
		.deadline_ms = clock_ms() + CALL_MS,
		.is_read = true,
	};

	if (id == NULL || rq->service->db == NULL ||
	    !rq->service->conf->stale_reads ||
	    db_call(rq->service->db, &call, take_known, &known) != DB_OK ||
	    known.document == NULL)
		return false;
	send(rq, &known);
	return true;
}
