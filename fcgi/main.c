/*
 * waybill-fcgi [-c FILE] [-l SOCKET] [-t] POOL: the supervisor of one pool;
 * waybill-fcgi -r: the table of routes.
 *
 * Reads the command line and the configuration, and gives the rest of its life
 * to supervisor_run().
 */
#include "fcgi/health.h"
#include "fcgi/route.h"
#include "fcgi/supervisor.h"
#include "shared/buf.h"
#include "shared/conf.h"
#include "shared/log.h"
#include "shared/pool.h"
#include "shared/privacy.h"

#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

enum { USAGE = 2, ERROR_MAX_BYTES = 4096 };

static const char default_file[] = "/etc/waybill/waybill.conf";

struct arguments {
	const char *file;
	const char *socket_path;
	const struct pool *pool;
	bool is_test;
	bool is_list;
};

static bool
read_arguments(struct arguments *arguments, int argc, char **argv)
{
	int option;

	while ((option = getopt(argc, argv, "c:l:rt")) != -1) {
		if (option == 'c')
			arguments->file = optarg;
		else if (option == 'l')
			arguments->socket_path = optarg;
		else if (option == 'r')
			arguments->is_list = true;
		else if (option == 't')
			arguments->is_test = true;
		else
			return false;
	}
	if (optind + 1 == argc)
		arguments->pool = pool_find(argv[optind]);
	if (arguments->file == NULL && access(default_file, F_OK) == 0)
		arguments->file = default_file;
	return arguments->is_list ? optind == argc : arguments->pool != NULL;
}

static int
tell_usage(void)
{
	(void)fprintf(stderr,
	    "usage: waybill-fcgi [-c FILE] [-l SOCKET] [-t] "
	    "read|webhook|upstream\n"
	    "       waybill-fcgi -r\n\n"
	    "Runs one pool of workers until SIGTERM; SIGHUP reloads.\n"
	    "  -c FILE    the configuration; %s\n"
	    "  -l SOCKET  listen there; else on systemd's socket, or on\n"
	    "             POOL.sock in WAYBILL_RUN_DIR\n"
	    "  -r         only list the routes: path, pool, scope and methods\n"
	    "  -t         only test the configuration: exit status 0, or 1 and "
	    "why not\n",
	    default_file);
	return USAGE;
}

static int
list_routes(void)
{
	route_print(stdout);
	return fclose(stdout) == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}

int
main(int argc, char **argv)
{
	struct arguments arguments = { .file = NULL };
	struct conf conf;
	struct buf error;
	char name[32];

	if (!read_arguments(&arguments, argc, argv))
		return tell_usage();
	if (arguments.is_list)
		return list_routes();
	(void)snprintf(
	    name, sizeof(name), "waybill-%s", arguments.pool->name); /* fits */
	log_set_name(name);
	buf_init(&error, ERROR_MAX_BYTES);
	if (!conf_load(&conf, arguments.file, &error)) {
		(void)fprintf(stderr, "waybill-fcgi: %s\n", error.data);
		buf_free(&error);
		return EXIT_FAILURE;
	}
	if (arguments.is_test)
		return EXIT_SUCCESS;
	privacy_begin(&conf);
	log_set_priority((enum log_priority)conf.log_priority);
	health_note_version(&conf);
	return supervisor_run(&(struct supervisor_start){
	    .conf = &conf,
	    .pool = arguments.pool,
	    .socket_path = arguments.socket_path,
	    .argv = argv,
	});
}
