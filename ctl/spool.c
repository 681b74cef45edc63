/*
 * waybill spool: what waits for the database on this host, and what it refused.
 *
 * Nothing is removed here: a record that was set aside stays until somebody has
 * mended its cause and lets it wait again.
 */
#include "ctl/commands.h"
#include "shared/spoolfile.h"
#include "shared/spoolview.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

/* What the listing has counted so far. */
struct listing {
	const struct conf *conf;
	long waiting;
	long bad;
};

static const char *
kind_of(const struct conf *conf, const char *name)
{
	struct buf content;
	struct spool_record record;
	const char *kind = "damaged";

	buf_init(&content, SPOOLFILE_MAX_BYTES);
	if (spool_read(conf->spool_dir, name, &content, &record) == NULL)
		kind = record.kind == SPOOL_WEBHOOK ? "webhook"
		    : record.kind == SPOOL_ITEM     ? "item"
						    : "answer";
	buf_free(&content);
	return kind;
}

/* spool_entry_function */
static void
print_entry(void *context, const struct spool_entry *entry)
{
	struct listing *listing = context;
	time_t second = (time_t)(entry->kept_us / 1000000);
	char when[] = "0000-00-00T00:00:00Z";
	struct tm parts;

	if (gmtime_r(&second, &parts) != NULL)
		(void)strftime(when, sizeof(when), "%FT%TZ", &parts); /* fits */
	if (listing->waiting + listing->bad == 0)
		(void)printf("%-8s %-20s %-8s %10s  %s\n", "state", "kept",
		    "kind", "bytes", "name");
	(void)printf("%-8s %-20s %-8s %10ld  %s\n",
	    entry->is_bad ? "bad" : "waiting", when,
	    kind_of(listing->conf, entry->name), entry->bytes, entry->name);
	if (*entry->reason != '\0')
		(void)printf("         %s\n", entry->reason);
	if (entry->is_bad)
		listing->bad++;
	else
		listing->waiting++;
}

static int
fail(const struct conf *conf, const char *what, const char *why)
{
	(void)fprintf(
	    stderr, "waybill: %s: %s: %s\n", conf->spool_dir, what, why);
	return CTL_FAILED;
}

static int
list(const struct conf *conf)
{
	struct listing listing = { .conf = conf };

	if (!spool_list(conf->spool_dir, print_entry, &listing))
		return fail(conf, "the spool cannot be read", strerror(errno));
	if (listing.waiting + listing.bad == 0)
		(void)printf("The spool is empty.\n");
	if (listing.bad > 0)
		(void)fprintf(stderr,
		    "waybill: %ld cannot be applied.  Mend the cause, then: "
		    "waybill spool retry NAME|all\n",
		    listing.bad);
	return listing.bad > 0 ? CTL_FAILED : CTL_OK;
}

/* The body as it came; what it belongs to goes to stderr. */
static int
show(const struct conf *conf, const char *name)
{
	struct buf content;
	struct spool_record record;
	const char *problem;

	buf_init(&content, SPOOLFILE_MAX_BYTES);
	problem = spool_read(conf->spool_dir, name, &content, &record);
	if (problem == NULL && record.kind == SPOOL_WEBHOOK)
		(void)fprintf(
		    stderr, "webhook, request %s\n", record.request_id);
	else if (problem == NULL && record.kind == SPOOL_ITEM)
		(void)fprintf(stderr,
		    "item of %s, %s: %s, %d, %s, request %s\n", record.path,
		    record.query, record.method, record.status, record.mode,
		    record.request_id);
	else if (problem == NULL)
		(void)fprintf(stderr, "answer to %s %s, %d, %s, request %s\n",
		    record.method, record.path, record.status, record.mode,
		    record.request_id);
	if (problem == NULL)
		(void)fwrite(record.body, 1, record.body_bytes,
		    stdout); /* main() looks at stdout */
	buf_free(&content);
	return problem == NULL ? CTL_OK : fail(conf, name, problem);
}

struct retrying {
	const struct conf *conf;
	const char *name; /* NULL: all */
	long done;
	int failed; /* errno */
};

/* spool_entry_function */
static void
retry_entry(void *context, const struct spool_entry *entry)
{
	struct retrying *retrying = context;

	if (!entry->is_bad ||
	    (retrying->name != NULL &&
		strcmp(retrying->name, entry->name) != 0))
		return;
	if (spool_retry(retrying->conf->spool_dir, entry->name))
		retrying->done++;
	else
		retrying->failed = errno;
}

static int
retry(const struct conf *conf, const char *name)
{
	struct retrying retrying = { .conf = conf,
		.name = strcmp(name, "all") == 0 ? NULL : name };

	if (!spool_list(conf->spool_dir, retry_entry, &retrying))
		return fail(conf, "the spool cannot be read", strerror(errno));
	if (retrying.failed != 0)
		return fail(conf, name, strerror(retrying.failed));
	if (retrying.done == 0 && retrying.name != NULL)
		return fail(conf, name, "nothing of this name was set aside");
	(void)printf("%ld wait again.\n", retrying.done);
	return CTL_OK;
}

int
spool_run(const struct conf *conf, int count, char **words)
{
	if (count == 1 || (count == 2 && strcmp(words[1], "list") == 0))
		return list(conf);
	if (count == 3 && strcmp(words[1], "show") == 0)
		return show(conf, words[2]);
	if (count == 3 && strcmp(words[1], "retry") == 0)
		return retry(conf, words[2]);
	return CTL_USAGE;
}
