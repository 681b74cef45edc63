/*
 * waybill tune: a fragment of postgresql.conf for this machine, with the reason of
 * each line, and compared with the running server.
 *
 * What must stay true: stdout is always a valid fragment, whatever else there is to
 * say.
 */
#include "ctl/commands.h"
#include "ctl/machine.h"
#include "ctl/session.h"
#include "ctl/tuning.h"
#include "shared/buf.h"

#include <getopt.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/* Connections besides the workers'. */
enum {
	FOR_COMMANDS = 5, /* jobs, refresh, reconcile, and two by hand */
	FOR_SUPERUSERS = 3,
	FOR_PEOPLE = 12,
	CONNECTIONS_MOST = 10000,
	CORES_MOST = 1024,
	NUMBER_MOST = 1048576, /* of a size: of TB, it still fits */
	READ_PERCENT = 30,     /* of the workers: the pool "read" */
	MEMORY_LEAST = 128 * TUNING_MB,
	NAMES_MAX = 2048,
	DIRECTORY_MAX = 64,
};

/* The server that runs now. */
struct server {
	char version[32]; /* "": it was not reached */
	char error[DB_MESSAGE_MAX];
	struct tuning *tuning;
};

/* For a comment of one line. */
static void
keep_line(char *to, size_t bytes, const char *text)
{
	(void)snprintf(to, bytes, "%s", text); /* cut: only shown */
	for (; *to != '\0'; to++)
		if ((unsigned char)*to < ' ')
			*to = ' ';
}

/* db_row_function */
static bool
note_running(void *context, const struct db_row *row)
{
	struct server *server = context;
	struct tuning_line *line =
	    tuning_find(server->tuning, session_text(row, "name"));

	keep_line(server->version, sizeof(server->version),
	    session_text(row, "server_version"));
	if (line == NULL)
		return true;
	keep_line(
	    line->running, sizeof(line->running), session_text(row, "value"));
	line->needs_restart = *session_text(row, "needs_restart") == 't';
	return true;
}

static void
ask_server(struct server *server, const struct conf *conf)
{
	const struct tuning *tuning = server->tuning;
	char error[DB_MESSAGE_MAX];
	struct buf names;

	buf_init(&names, NAMES_MAX);
	for (int i = 0; i < tuning->count; i++)
		(void)buf_addf(
		    &names, "%c%s", i == 0 ? '{' : ',', tuning->lines[i].name);
	(void)buf_add_byte(&names, '}'); /* some 40 words fit */
	const struct db_value value = db_text(names.data);
	struct db_call call = { .function = "admin.server_settings",
		.values = &value,
		.count = 1,
		.is_read = true };

	if (session_ask(conf, "waybill_jobs", &call, note_running, server,
		error) != DB_OK)
		*server->version = '\0';
	keep_line(server->error, sizeof(server->error), error);
	buf_free(&names);
}

/* What the server loads already it goes on loading. */
static void
keep_libraries(struct tuning_line *line)
{
	char both[2 * TUNING_VALUE_MAX + 2];

	if (*line->running == '\0' || strpbrk(line->running, "'\\") != NULL)
		return;
	(void)snprintf(both, sizeof(both), "%s%s%s", line->running,
	    strstr(line->running, line->value) == NULL ? ", " : "",
	    strstr(line->running, line->value) == NULL ? line->value
						       : ""); /* fits */
	/* One that was cut would not start. */
	if (strlen(both) < sizeof(line->value) - 1)
		memcpy(line->value, both, strlen(both) + 1);
}

static void
adapt(const struct server *server)
{
	struct tuning_line *compression =
	    tuning_find(server->tuning, "wal_compression");

	if (*server->version == '\0')
		return;
	/* lz4 is not there before. */
	if (strtol(server->version, NULL, 10) < 15)
		memcpy(compression->value, "on", sizeof("on"));
	keep_libraries(tuning_find(server->tuning, "shared_preload_libraries"));
}

/*
 * What is printed; main looks at the end.
 */

static void
print_head(const struct tuning *tuning, const char *directory)
{
	(void)printf("# PostgreSQL for Waybill, by waybill tune %s, as\n"
		     "#     sudo sh -c 'waybill tune > %s/waybill.conf'\n"
		     "#\n",
	    WAYBILL_VERSION, directory);
	(void)printf("# %lld MB of memory, %d core%s, %s.  nginx, the system "
		     "and %d workers\n"
		     "# are on the same machine: %lld MB are theirs, %lld MB "
		     "are PostgreSQL's share.\n",
	    (long long)tuning->memory / TUNING_MB, tuning->cores,
	    tuning->cores == 1 ? "" : "s", tuning->is_disk ? "disk" : "SSD",
	    tuning->workers,
	    (long long)(tuning->memory - tuning->share) / TUNING_MB,
	    (long long)tuning->share / TUNING_MB);
	(void)printf("#\n"
		     "# [20.4.1] is a section of the manual of PostgreSQL 15, "
		     "[pgtune] the rules that\n"
		     "# pgtune.leopard.in.ua publishes, for \"web\".\n");
}

static void
print_connections(const struct tuning *tuning)
{
	(void)printf("#\n");
	if (tuning->more > 0)
		(void)printf("# Connections: workers %d (WORKERS and "
			     "WORKERS_OVERFLOW), twice, as a reload has\n"
			     "# the old ones beside the new; jobs and commands "
			     "%d, superusers %d, people %d or a\n"
			     "# few more.  With a second host of Waybill's "
			     "give it all: --connections N.\n",
		    tuning->workers, FOR_COMMANDS, FOR_SUPERUSERS, FOR_PEOPLE);
	(void)printf("# Were all to use their work_mem at once: %lld MB of "
		     "the share.\n",
	    (long long)tuning->most / TUNING_MB);
	if (tuning->most > tuning->share)
		(void)printf("# TOO MUCH: so many connections do not fit into "
			     "this memory.  Set WORKERS_OVERFLOW\n"
			     "# lower, or give the machine more.\n");
}

static void
print_lines(const struct tuning *tuning)
{
	for (int i = 0; i < tuning->count; i++) {
		const struct tuning_line *line = &tuning->lines[i];
		/* A list. */
		const char *quote = strchr(line->value, '_') == NULL ? "" : "'";

		(void)printf("\n# %s\n%s = %s%s%s\n", line->why, line->name,
		    quote, line->value, quote);
	}
}

static void
print_comparison(const struct server *server)
{
	const struct tuning *tuning = server->tuning;
	int differing = 0;
	int restarting = 0;

	if (*server->version == '\0') {
		(void)printf("\n# Not compared with the running server: %s\n",
		    server->error);
		return;
	}
	(void)printf("\n# Compared with the running server, PostgreSQL %s:\n",
	    server->version);
	for (int i = 0; i < tuning->count; i++) {
		const struct tuning_line *line = &tuning->lines[i];

		if (*line->running == '\0' ||
		    strcmp(line->running, line->value) == 0)
			continue;
		(void)printf("#   %-38s %s -> %s%s\n", line->name,
		    line->running, line->value,
		    line->needs_restart ? " (restart)" : "");
		differing++;
		restarting += line->needs_restart;
	}
	if (differing == 0)
		(void)printf("#   nothing differs\n");
	else
		(void)printf("# then: sudo systemctl %s postgresql\n",
		    restarting > 0 ? "restart" : "reload");
}

/*
 * The words.
 */

/* "512M", "4G" or "1T" in KiB; 0 when it is none. */
static int64_t
read_size(const char *text)
{
	static const char units[] = "MGT";
	char *end;
	long long number = strtoll(text, &end, 10);
	const char *unit = *end == '\0' ? NULL : strchr(units, *end);

	if (*text < '0' || *text > '9' || unit == NULL ||
	    (end[1] != '\0' && strcmp(end + 1, "B") != 0) || number < 1 ||
	    number > NUMBER_MOST)
		return 0;
	for (number *= TUNING_MB; unit > units; unit--)
		number *= 1024;
	return number;
}

/* 1 to `most`; 0 when it is none. */
static int
read_number(const char *text, int most)
{
	char *end;
	long number = strtol(text, &end, 10);

	return *text >= '0' && *text <= '9' && *end == '\0' && number >= 1 &&
		number <= most
	    ? (int)number
	    : 0;
}

/* So many, whatever they are for. */
static void
take_connections(struct tuning *tuning, const char *text)
{
	tuning->connections = read_number(text, CONNECTIONS_MOST);
	tuning->more = 0;
}

/* A zero stays where an option holds what it must not. */
static bool
read_words(struct tuning *tuning, int count, char **words)
{
	static const struct option options[] = {
		{ "memory", required_argument, NULL, 'm' },
		{ "cores", required_argument, NULL, 'c' },
		{ "connections", required_argument, NULL, 'n' },
		{ "storage", required_argument, NULL, 's' },
		{ NULL, 0, NULL, 0 },
	};
	int option;

	while ((option = getopt_long(count, words, "", options, NULL)) != -1) {
		if (option == 'm')
			tuning->memory = read_size(optarg);
		else if (option == 'c')
			tuning->cores = read_number(optarg, CORES_MOST);
		else if (option == 'n')
			take_connections(tuning, optarg);
		else if (option == 's' && strcmp(optarg, "disk") == 0)
			tuning->is_disk = true;
		else if (option != 's' || strcmp(optarg, "ssd") != 0)
			return false;
	}
	return optind == count;
}

/* As many as the check wants, and room for people, in tens. */
static void
count_connections(const struct conf *conf, struct tuning *tuning)
{
	int others = FOR_COMMANDS + FOR_SUPERUSERS + FOR_PEOPLE;
	int sum;

	tuning->more = tuning->workers;
	if (*conf->secrets.database_read_url != '\0')
		tuning->more += tuning->workers * READ_PERCENT / 100;
	sum = 2 * tuning->more + others;
	tuning->connections = (sum + 9) / 10 * 10 - tuning->more;
}

static const char *
find_mistake(const struct tuning *tuning)
{
	if (tuning->memory < MEMORY_LEAST)
		return "--memory must be 128M at least: 512M, 4G";
	if (tuning->cores < 1)
		return "--cores must be 1 to 1024";
	if (tuning->connections < 1)
		return "--connections must be 1 to 10000";
	return NULL;
}

/* Where Debian's clusters include fragments from. */
static void
find_directory(const struct server *server, char directory[DIRECTORY_MAX])
{
	long major = strtol(server->version, NULL, 10);

	(void)snprintf(directory, DIRECTORY_MAX,
	    "/etc/postgresql/%ld/main/conf.d", major > 0 ? major : 15);
}

int
tune_run(const struct conf *conf, int count, char **words)
{
	struct tuning tuning = { .memory = machine_memory_kb(),
		.cores = (int)sysconf(_SC_NPROCESSORS_ONLN),
		.workers = conf->workers + conf->workers_overflow };
	struct server server = { .tuning = &tuning };
	char directory[DIRECTORY_MAX];
	const char *mistake;

	count_connections(conf, &tuning);
	if (!read_words(&tuning, count, words))
		return CTL_USAGE;
	mistake = find_mistake(&tuning);
	if (mistake != NULL) {
		(void)fprintf(stderr, "waybill: %s\n", mistake);
		return CTL_FAILED;
	}
	tuning_make(&tuning);
	ask_server(&server, conf);
	adapt(&server);
	find_directory(&server, directory);
	print_head(&tuning, directory);
	print_connections(&tuning);
	print_lines(&tuning);
	print_comparison(&server);
	return CTL_OK;
}
