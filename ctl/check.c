/*
 * waybill check: what is wrong with this installation, and what mends it.
 *
 * THE TABLE below is all of it, in this order: root looks at what only root may
 * see, then becomes the user of the services and looks at the rest as they do.
 * What must stay true: nothing is changed anywhere, and when everything hangs it
 * still ends within MOST_MS.
 */
#include "ctl/check.h"
#include "ctl/commands.h"
#include "ctl/table.h"
#include "shared/address.h"
#include "shared/clock.h"
#include "shared/pool.h"

#include <getopt.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

enum { MOST_MS = 28 * 1000 };

/* What has to be known before; without it the check is passed over. */
enum need { NOTHING, CONF, LOGIN, JOBS, SCHEMA, PULSE };

/* clang-format off */
static const struct {
	const char *name;
	check_function *look;
	int subject;
	enum need need;
} checks[] = {
	{ "configuration",      check_configuration,  0,                NOTHING },
	{ "secrets",            check_secrets,        0,                CONF },
	{ "pool read",          check_pool,           POOL_READ,        CONF },
	{ "pool webhook",       check_pool,           POOL_WEBHOOK,     CONF },
	{ "pool upstream",      check_pool,           POOL_UPSTREAM,    CONF },
	{ "memory",             check_memory,         0,                CONF },
	/* From here on not as root. */
	{ "user",               check_user,           0,                CONF },
	{ "spool",              check_spool,          0,                CONF },
	{ "disk of the spool",  check_spool_disk,     0,                CONF },
	{ "database",           check_database,       0,                CONF },
	{ "rights",             check_rights,         0,                LOGIN },
	{ "schema",             check_schema,         0,                JOBS },
	{ "connections",        check_connections,    0,                SCHEMA },
	{ "standby",            check_standby,        0,                SCHEMA },
	{ "network",            check_network,        0,                LOGIN },
	{ "disk of PostgreSQL", check_database_disk,  0,                CONF },
	{ "backup",             check_backup,         0,                CONF },
	{ "archive",            check_archive,        0,                PULSE },
	{ "statements",         check_statements,     0,                PULSE },
	{ "clock",              check_clock,          0,                PULSE },
	{ "jobs",               check_jobs,           0,                PULSE },
	{ "queue",              check_queue,          0,                PULSE },
	{ "bulk calls",         check_bulk,           0,                PULSE },
	{ "refresh",            check_refresh,        0,                PULSE },
	{ "drift",              check_drift,          0,                PULSE },
	{ "reconcile",          check_reconcile,      0,                PULSE },
	{ "ledger",             check_ledger,         0,                PULSE },
	{ "key production",     check_key,            CHECK_PRODUCTION, CONF },
	{ "key test",           check_key,            CHECK_TEST,       CONF },
	{ "clock of EasyPost",  check_easypost_clock, 0,                CONF },
	{ "webhook secret",     check_webhook_secret, 0,                CONF },
	{ "webhook production", check_webhook,        CHECK_PRODUCTION, CONF },
	{ "webhook test",       check_webhook,        CHECK_TEST,       CONF },
	{ "nginx",              check_nginx,          0,                NOTHING },
	{ "site",               check_site,           0,                NOTHING },
	{ "certificate",        check_certificate,    0,                NOTHING },
};

/* clang-format on */

enum { CHECKS = sizeof(checks) / sizeof(*checks) };

static const char *const states[] = {
	[VERDICT_OK] = "ok",
	[VERDICT_WARN] = "warn",
	[VERDICT_FAIL] = "FAIL",
	[VERDICT_SKIP] = "skip",
};

void
verdict_set(
    struct verdict *verdict, enum verdict_state state, const char *format, ...)
{
	va_list args;

	verdict->state = state;
	va_start(args, format);
	/* A sentence that is cut still says most. */
	(void)vsnprintf(verdict->text, sizeof(verdict->text), format, args);
	va_end(args);
	table_make_plain(verdict->text);
}

void
verdict_cure(struct verdict *verdict, const char *format, ...)
{
	va_list args;

	va_start(args, format);
	(void)vsnprintf(
	    verdict->cure, sizeof(verdict->cure), format, args); /* fits */
	va_end(args);
	table_make_plain(verdict->cure);
}

int64_t
check_until_ms(const struct check *check, int most_ms)
{
	int64_t until_ms = clock_ms() + most_ms;

	return until_ms < check->deadline_ms ? until_ms : check->deadline_ms;
}

/* --- what the checks need ------------------------------------------------ */

/* NULL when it is there, else why the check is passed over. */
static const char *
find_obstacle(struct check *check, enum need need)
{
	if (clock_left_ms(check->deadline_ms) == 0)
		return "no time was left for it";
	if (need >= CONF && !check->has_conf)
		return "there is no configuration";
	if (need >= LOGIN && *check->conf.secrets.database_url == '\0')
		return "no database is configured";
	if (need >= LOGIN && check->login == NULL)
		return "the database does not answer";
	if (need >= JOBS && check->jobs == NULL)
		return "the database does not answer as waybill_jobs";
	if (need >= SCHEMA && !check->has_schema)
		return "the schema has to be mended first";
	if (need >= PULSE && !check_pulse(check))
		return "the database does not tell";
	return NULL;
}

/* --- the command --------------------------------------------------------- */

static void
print(const char *name, const struct verdict *verdict, bool is_quiet)
{
	bool is_wrong =
	    verdict->state == VERDICT_WARN || verdict->state == VERDICT_FAIL;

	if (is_quiet && !is_wrong)
		return;
	(void)printf("%-4s  %-18s  %s\n", states[verdict->state], name,
	    verdict->text); /* main looks at stdout */
	if (*verdict->cure != '\0')
		(void)printf("%26s-> %s\n", "", verdict->cure); /* as above */
	(void)fflush(stdout); /* the next one may take seconds; as above */
}

static int
look_at_all(struct check *check, bool is_quiet)
{
	int counts[sizeof(states) / sizeof(*states)] = { 0 };

	for (int i = 0; i < CHECKS; i++) {
		struct verdict verdict = { .state = VERDICT_OK };
		const char *obstacle = find_obstacle(check, checks[i].need);

		if (obstacle != NULL)
			verdict_set(&verdict, VERDICT_SKIP, "%s", obstacle);
		else
			checks[i].look(check, checks[i].subject, &verdict);
		print(checks[i].name, &verdict, is_quiet);
		counts[verdict.state]++;
	}
	if (!is_quiet)
		(void)printf("\nok %d, warnings %d, failed %d, skipped %d\n",
		    counts[VERDICT_OK], counts[VERDICT_WARN],
		    counts[VERDICT_FAIL],
		    counts[VERDICT_SKIP]); /* main looks at stdout */
	return counts[VERDICT_FAIL] == 0 ? CTL_OK : CTL_FAILED;
}

static bool
is_site(const char *url)
{
	return strncmp(url, "https://", 8) == 0 && address_is_allowed(url);
}

static bool
read_words(struct check *check, bool *is_quiet, int count, char **words)
{
	static const struct option options[] = {
		{ "quiet", no_argument, NULL, 'q' },
		{ "url", required_argument, NULL, 'u' },
		{ "ca", required_argument, NULL, 'c' },
		{ "nginx", required_argument, NULL, 'n' },
		{ NULL, 0, NULL, 0 },
	};
	int option;

	while ((option = getopt_long(count, words, "q", options, NULL)) != -1) {
		if (option == 'q') {
			*is_quiet = true;
		} else if (option == 'u' && is_site(optarg)) {
			check->url = optarg;
		} else if (option == 'c') {
			check->ca_file = optarg;
		} else if (option == 'n') {
			check->nginx_file = optarg;
		} else {
			if (option == 'u')
				(void)fprintf(stderr,
				    "waybill: --url must be "
				    "https://HOST[:PORT]\n");
			return false;
		}
	}
	return optind == count;
}

int
check_run(const struct conf *conf, int count, char **words)
{
	static struct check check; /* big, and there is one */
	bool is_quiet = false;
	int status;

	(void)conf; /* whether there is one is what is checked */
	check.file = command_file;
	check.ca_file = "";
	check.nginx_file = "/etc/nginx/nginx.conf";
	check.deadline_ms = clock_ms() + MOST_MS;
	if (!read_words(&check, &is_quiet, count, words))
		return CTL_USAGE;
	status = look_at_all(&check, is_quiet);
	for (int i = 0; i < CHECK_MODES; i++)
		json_free(check.webhooks[i]);
	return status;
}
