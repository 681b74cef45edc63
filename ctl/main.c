/*
 * waybill [-c FILE] COMMAND: the operator's program.
 *
 * Reads the command line and the configuration and gives the rest to a command
 * of THE TABLE, from which the help is printed too.  Exit status: 0 done, 1
 * failed, 2 asked wrongly, 3 somebody else does it at this moment, 4 no database
 * is configured, 5 the database has other SQL.
 */
#include "ctl/commands.h"
#include "ctl/credentials.h"
#include "ctl/service.h"
#include "shared/buf.h"
#include "shared/log.h"
#include "shared/privacy.h"

#include <getopt.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

enum { ERROR_MAX_BYTES = 4096 };

const char *command_file;

static const char default_file[] = "/etc/waybill/waybill.conf";

static int help_run(const struct conf *, int count, char **words);
static int version_run(const struct conf *, int count, char **words);

/* What a command needs, each of them what stands before it, too: the configuration;
 * PostgreSQL as the services reach it, as whose user root then goes on; EasyPost's
 * keys, which root alone may read. */
enum need { NOTHING, CONF, SERVICE, EASYPOST };

/* clang-format off */
static const struct command {
	const char *name;
	const char *usage;
	const char *help;
	int (*run)(const struct conf *, int count, char **words);
	enum need need;
} commands[] = {
	{ "migrate", "[up|down|status|history|verify]",
	  "bring the database up to date (up), or one version back (down: what\n"
	  "      that version added goes, with its data); tell how it is",
	  migrate_run, CONF },
	{ "key", "create --name NAME --mode test|production --scopes LIST\n"
	  "      [--rate-limit N] [--spending-limit AMOUNT] [--expires-at TIME]",
	  "make a gateway key and print it, once; LIST of read,write,admin,\n"
	  "      N requests a minute, AMOUNT a day",
	  key_run, CONF },
	{ "key", "limit PREFIX|ID [--rate-limit N|none] [--spending-limit AMOUNT|none]\n"
	  "      [--expires-at TIME|none]",
	  "change what is named here of a key", key_run, CONF },
	{ "key", "list", "show all keys, but never their secret part",
	  key_run, CONF },
	{ "key", "revoke PREFIX|ID", "end a key", key_run, CONF },
	{ "privacy", "truncate|erase --before TIME",
	  "cut the clients' addresses of all requests before TIME, a day or more,\n"
	  "      to their network; or erase them",
	  privacy_run, CONF },
	{ "refresh", "[--since DAY]",
	  "compare the figures with the shipments, a part of the last 90 days or\n"
	  "      all from DAY on, and repair them; keep the partitions",
	  refresh_run, SERVICE },
	{ "report", "[--days N] [--mode test|production] [--csv|--daily]",
	  "show the figures of the last N days (30, at most 730): carriers, the\n"
	  "      change, what is late, routes; as CSV the same, or each day",
	  report_run, SERVICE },
	{ "jobs", "[--once]", "bring the spool into the database and do what is\n"
	  "      queued there, for ever",
	  jobs_run, SERVICE },
	{ "jobs", "list", "show what is queued, and what has failed for good",
	  jobs_run, SERVICE },
	{ "jobs", "retry ID|all", "queue again what has failed for good",
	  jobs_run, SERVICE },
	{ "backfill", "[--since DAY] [--until DAY] [--type TYPE]",
	  "bring what EasyPost has from before into the database; one that was\n"
	  "      cut short goes on; TYPE is shipment, tracker, address or refund",
	  backfill_run, EASYPOST },
	{ "reconcile", "[--days N]",
	  "compare what EasyPost lists of the last N days (30) with what is here,\n"
	  "      fetch what is missing, and write the ledger",
	  reconcile_run, EASYPOST },
	{ "rebuild", "", "make all tables anew from the stored documents and events;\n"
	  "      changes nothing where all is well",
	  rebuild_run, SERVICE },
	{ "spool", "[list]", "show what waits for the database here, and what it\n"
	  "      refused; exit status 1 when it refused any",
	  spool_run, CONF },
	{ "spool", "show NAME", "print the body of a record", spool_run, CONF },
	{ "spool", "retry NAME|all", "let what was refused wait again",
	  spool_run, CONF },
	{ "check", "[--quiet] [--url https://HOST[:PORT]] [--ca FILE]\n"
	  "      [--nginx FILE]",
	  "look for what is wrong with this installation and say what mends it;\n"
	  "      with --url nginx and its certificate, too; as root it sees most",
	  check_run, NOTHING },
	{ "status", "[--json]", "show what is going on at this moment",
	  status_run, CONF },
	{ "webhook", "register URL [--mode test|production] [--ca FILE]",
	  "let EasyPost deliver to URL, signed with this host's secret; what is\n"
	  "      registered already gets the secret and is enabled",
	  webhook_run, CONF },
	{ "webhook", "list [--mode test|production]",
	  "show the webhooks that EasyPost has; * leads to Waybill",
	  webhook_run, CONF },
	{ "webhook", "test [URL] [--ca FILE]",
	  "deliver a signed event that changes nothing, and see whether it arrives",
	  webhook_run, CONF },
	{ "webhook", "new-secret", "make a secret, and keep the one before until\n"
	  "      EasyPost has the new one", webhook_run, CONF },
	{ "webhook", "delete ID", "end a webhook at EasyPost", webhook_run, CONF },
	{ "tune", "[--memory 4G] [--cores N] [--connections N] [--storage ssd|disk]",
	  "print settings of PostgreSQL for this machine, or one like that, with\n"
	  "      their reasons, and compare them with the running server",
	  tune_run, CONF },
	{ "config", "[KEY...]",
	  "show the configuration in effect, secrets masked; or these keys alone,\n"
	  "      exit status 1 when none of them is set",
	  config_run, CONF },
	{ "version", "", "show the version", version_run, NOTHING },
	{ "help", "", "show this", help_run, NOTHING },
};

/* clang-format on */

enum { COMMANDS = sizeof(commands) / sizeof(*commands) };

static void
print_help(FILE *to)
{
	(void)fprintf(to, "usage: waybill [-c FILE] COMMAND\n\n");
	for (size_t i = 0; i < COMMANDS; i++)
		(void)fprintf(to, "  %s%s%s\n      %s\n", commands[i].name,
		    *commands[i].usage == '\0' ? "" : " ", commands[i].usage,
		    commands[i].help);
	(void)fprintf(to,
	    "\nFILE is %s unless said otherwise.  Exit status: 0 done, 1 "
	    "failed,\n2 asked wrongly, 3 another backfill or reconcile is "
	    "running, 4 no database\nis configured, 5 the database's SQL is "
	    "not this program's.\n",
	    default_file);
}

static int
help_run(const struct conf *conf, int count, char **words)
{
	(void)conf, (void)count, (void)words; /* the table's shape */
	print_help(stdout);
	return CTL_OK;
}

static int
version_run(const struct conf *conf, int count, char **words)
{
	(void)conf, (void)words; /* the table's shape */
	if (count != 1)
		return CTL_USAGE;
	(void)printf("waybill %s\n", WAYBILL_VERSION);
	return CTL_OK;
}

static const struct command *
find_command(const char *name)
{
	for (size_t i = 0; name != NULL && i < COMMANDS; i++)
		if (strcmp(commands[i].name, name) == 0)
			return &commands[i];
	return NULL;
}

/* The command, which may be NULL, and its words start at argv[optind]; false: asked
 * wrongly. */
static bool
read_options(int argc, char **argv, const char **file, const char **name)
{
	static const struct option options[] = {
		{ "config", required_argument, NULL, 'c' },
		{ "help", no_argument, NULL, 'h' },
		{ NULL, 0, NULL, 0 },
	};
	int option;

	*file = access(default_file, F_OK) == 0 ? default_file : NULL;
	/* "+": the options of a command are its own. */
	while ((option = getopt_long(argc, argv, "+c:h", options, NULL)) != -1)
		if (option == 'c') {
			*file = optarg;
		} else if (option == 'h') {
			*name = "help";
		} else {
			return false;
		}
	if (*name == NULL)
		*name = argv[optind];
	return true;
}

/* False, and told, when the command cannot have what it needs. */
static bool
prepare(struct conf *conf, const char *file, enum need need)
{
	struct buf said;
	bool is_ready = true;

	buf_init(&said, ERROR_MAX_BYTES);
	/* For root: no more than is needed. */
	(void)credentials_name(file, "DATABASE_");
	if (need == EASYPOST)
		(void)credentials_name(file, "EASYPOST_");
	if (need >= CONF)
		is_ready = conf_load(conf, file, &said);
	if (is_ready && need >= SERVICE)
		is_ready = service_become_user(conf, &said);
	if (!is_ready)
		(void)fprintf(stderr, "waybill: %s\n", said.data);
	else if (need >= CONF)
		privacy_begin(conf);
	buf_free(&said);
	return is_ready;
}

static int
run(const struct command *command, const char *file, int count, char **words)
{
	struct conf conf;
	int status;

	if (!prepare(&conf, file, command->need))
		return CTL_FAILED;
	optind = 0; /* glibc: begin anew */
	status = command->run(&conf, count, words);
	/* What was printed counts only when it arrived. */
	if (fflush(stdout) != 0 && status == CTL_OK) {
		perror("waybill");
		status = CTL_FAILED;
	}
	return status;
}

int
main(int argc, char **argv)
{
	const struct command *command = NULL;
	const char *file, *name = NULL;
	int status = CTL_USAGE;

	log_set_name("waybill");
	/* The commands say themselves what went wrong. */
	log_set_priority(LOG_CRITICAL);
	if (read_options(argc, argv, &file, &name)) {
		command_file = file;
		command = find_command(name);
	}
	if (command != NULL)
		status = run(command, file, argc - optind, argv + optind);
	else if (name != NULL)
		(void)fprintf(
		    stderr, "waybill: there is no command %s\n\n", name);
	if (status == CTL_USAGE)
		print_help(stderr);
	return status;
}
